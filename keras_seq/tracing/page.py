"""HTML page of a trace, in one file: heatmaps and lines that show values under the mouse."""

import base64
import html
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import tree

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq._internal.types import Array, ArrayLike
from keras_seq.tracing import gate_statistics
from keras_seq.tracing.recorder import LayerTrace
from keras_seq.tracing.trace import Trace

Gradients = Mapping[str, Mapping[str, Mapping[str, Array]]]
"""Description of a loss to the result of `Trace.gradient_norms`."""


def write_page(
    trace: Trace,
    path: str | os.PathLike[str],
    step_labels: Sequence[Any] | None = None,
    sequence: int = 0,
    title: str = "",
    gradients: Gradients | None = None,
    tags: Sequence[str] | None = None,
) -> None:
    """Write one sequence of a trace as an HTML page that shows values under the mouse.

    Args:
        trace: Trace.
        path: HTML file to write.
        step_labels: Label of each time step, such as tokens. Default: numbers.
        sequence: Index of the sequence in the batch.
        title: Title of the page.
        gradients: Description of each loss to the result of `Trace.gradient_norms`.
        tags: Names of the tags of a CRF. Default: numbers.

    Raises:
        InputError: If no layer has as many time steps as there are labels, or there is no such
            sequence.
    """
    content = render_page(trace, step_labels, sequence, title, gradients, tags)
    with atomic_write(Path(path)) as new:
        new.write_text(content, "utf-8")


def render_page(
    trace: Trace,
    step_labels: Sequence[Any] | None = None,
    sequence: int = 0,
    title: str = "",
    gradients: Gradients | None = None,
    tags: Sequence[str] | None = None,
) -> str:
    """Return the page as a string of HTML.

    Args:
        trace: Trace.
        step_labels: Label of each time step, such as tokens. Default: numbers.
        sequence: Index of the sequence in the batch.
        title: Title of the page.
        gradients: Description of each loss to the result of `Trace.gradient_norms`.
        tags: Names of the tags of a CRF. Default: numbers.

    Raises:
        InputError: If no layer has as many time steps as there are labels, or there is no such
            sequence.
    """
    batch = len(tree.flatten(trace.outputs)[0])
    if not 0 <= sequence < batch:
        raise InputError(f"There is no sequence {sequence} in a batch of {batch}.")
    # Of several successive rows per sequence, the page shows the first.
    sequence, batch = sequence * trace.rows_per_sequence, batch * trace.rows_per_sequence
    # Layers on another batch, such as those that read the characters of each word, are left out.
    layers = {name: layer for name, layer in trace.items() if len(layer.outputs) == batch}
    if step_labels is None:
        step_labels = range(max((layer.outputs.shape[1] for layer in layers.values()), default=0))
    shape = batch, len(step_labels)
    layers = {name: layer for name, layer in layers.items() if layer.outputs.shape[:2] == shape}
    if not layers:
        raise InputError(f"No layer of the trace has (batch, timesteps) {shape}.")
    content = {
        "steps": list(map(str, step_labels)),
        "layers": [_layer_content(name, layer, sequence) for name, layer in layers.items()],
        "gradients": {
            description: {
                f"{name} {state}": _round(norms[sequence])
                for name, states in by_layer.items()
                if name in layers
                for state, norms in states.items()
            }
            for description, by_layer in (gradients or {}).items()
        },
        "side_outputs": [
            {"name": f"attention: {name}", "rows": [""], **_pack(scores[sequence][:, None])}
            for name, scores in trace.attention.items()
            if scores.shape == shape
        ]
        + [
            {"name": f"probability of tags: {name}", "rows": tags, **_pack(marginals[sequence])}
            for name, marginals in trace.marginals.items()
            if marginals.shape[:2] == shape
        ],
    }
    # "</script>" in the data would end the script.
    data = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    head, tail = (Path(__file__).parent / "page.html").read_text("utf-8").split("{{data}}")
    return head.replace("{{title}}", html.escape(title)) + data + tail


def _layer_content(name: str, layer: LayerTrace, sequence: int) -> dict[str, Any]:
    memory_length = gate_statistics.memory_length(layer)
    statistics = gate_statistics.statistics_by_gate(layer)
    return {
        "name": name,
        "backwards": layer.go_backwards,
        "unmasked": layer.unmasked[sequence].tolist(),
        "gates": {gate: _pack(array[sequence]) for gate, array in layer.gates.items()},
        "states": {state: _pack(array[sequence]) for state, array in layer.states.items()},
        "initial": {s: _round(array[sequence]) for s, array in layer.initial_states.items()},
        "statistics": {gate: _round(numbers) for gate, numbers in statistics.items()},
        "memory": None if memory_length is None else _round(memory_length),
    }


def _pack(array: Array) -> dict[str, Any]:
    """Return numbers `(timesteps, ...)` as 16-bit integers and their scale."""
    array = array.reshape(len(array), -1)
    scale = max(float(np.abs(array).max()), 1e-30) / 32767
    integers = np.round(array / scale).astype("<i2")
    return {
        "scale": scale,
        "height": array.shape[1],
        "data": base64.b64encode(integers.tobytes()).decode("ascii"),
    }


def _round(values: ArrayLike) -> list[float]:
    """Return numbers with four significant digits."""
    return [float(f"{value:.4g}") for value in np.ravel(values)]

"""A trace as a page of HTML that needs nothing else: heatmaps, lines, numbers to read by hand."""

import base64
import html
import json
from pathlib import Path

import numpy as np
from keras import tree

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq.tracing import gate_statistics


def write_page(trace, path, step_labels=None, sequence=0, title="", gradients=None, tags=None):
    """Writes one sequence of a trace as a page, whose values show where the mouse is.

    Args:
        trace, step_labels, sequence, title, gradients, tags: As in `render_page`.
        path: HTML file to write.

    Raises:
        InputError: As `render_page`.
    """
    content = render_page(trace, step_labels, sequence, title, gradients, tags)
    with atomic_write(path) as new:
        new.write_text(content, "utf-8")


def render_page(trace, step_labels=None, sequence=0, title="", gradients=None, tags=None):
    """The page as a string of HTML.

    Args:
        trace: A `keras_seq.tracing.Trace`.
        step_labels: What stands at each time step, such as tokens; numbers by default.
        sequence: Which of the batch.
        title: What to read above.
        gradients: Dict of what a loss is of, in words, to what `Trace.gradient_norms` returned.
        tags: Names of the tags of a CRF.

    Raises:
        InputError: No layer has as many time steps as there are names; or there is no such
            sequence.
    """
    batch = len(tree.flatten(trace.outputs)[0])
    if not 0 <= sequence < batch:
        raise InputError(f"There is no sequence {sequence} in a batch of {batch}.")
    # What is heard several times is so many rows after each other, of which the first is shown.
    sequence, batch = sequence * trace.rows_per_sequence, batch * trace.rows_per_sequence
    # What a layer within reads of another batch, such as the letters of each word, is left out.
    layers = {name: layer for name, layer in trace.items() if len(layer.outputs) == batch}
    if step_labels is None:
        step_labels = range(max((layer.outputs.shape[1] for layer in layers.values()), default=0))
    shape = batch, len(step_labels)
    layers = {name: layer for name, layer in layers.items() if layer.outputs.shape[:2] == shape}
    if not layers:
        raise InputError(f"No layer of the trace has (batch, timesteps) {shape}.")
    content = {
        "steps": list(map(str, step_labels)),
        "layers": [_layer(name, layer, sequence) for name, layer in layers.items()],
        "gradients": {
            what: {
                f"{name} {state}": _numbers(norms[sequence])
                for name, states in found.items()
                if name in layers
                for state, norms in states.items()
            }
            for what, found in (gradients or {}).items()
        },
        "beside": [
            {"name": f"attention: {name}", "rows": [""], **_packed(weights[sequence][:, None])}
            for name, weights in trace.attention.items()
            if weights.shape == shape
        ]
        + [
            {"name": f"probability of tags: {name}", "rows": tags, **_packed(found[sequence])}
            for name, found in trace.marginals.items()
            if found.shape[:2] == shape
        ],
    }
    # In a script no "<" may stand, since "</script>" would end it.
    data = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    head, tail = (Path(__file__).parent / "page.html").read_text("utf-8").split("{{data}}")
    return head.replace("{{title}}", html.escape(title)) + data + tail


def _layer(name, layer, sequence):
    memory = gate_statistics.memory_length(layer)
    return {
        "name": name,
        "backwards": layer.go_backwards,
        "seen": layer.unmasked[sequence].tolist(),
        "gates": {gate: _packed(array[sequence]) for gate, array in layer.gates.items()},
        "states": {state: _packed(array[sequence]) for state, array in layer.states.items()},
        "before": {s: _numbers(array[sequence]) for s, array in layer.initial_states.items()},
        "statistics": {
            gate: _numbers(numbers)
            for gate, numbers in gate_statistics.statistics_by_gate(layer).items()
        },
        "memory": None if memory is None else _numbers(memory),
    }


def _packed(array):
    """Numbers `(timesteps, rows)` as whole numbers of 16 bits, and what one of them is worth."""
    array = array.reshape(len(array), -1)
    unit = max(float(np.abs(array).max()), 1e-30) / 32767
    whole = np.round(array / unit).astype("<i2")
    return {
        "unit": unit,
        "height": array.shape[1],
        "data": base64.b64encode(whole.tobytes()).decode("ascii"),
    }


def _numbers(values):
    return [float(f"{value:.4g}") for value in np.ravel(values)]

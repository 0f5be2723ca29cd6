"""Plots of a trace, as PNG files."""

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.tracing.recorder import LayerTrace

Labels = Sequence[Any] | None
"""Label of each time step, or None for numbers."""
Path = str | os.PathLike[str]

MAX_UNROLLED_STEPS = 12
"""Maximum number of time steps in the plot of an unrolled network."""

FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "PingFang SC",
)
"""Fonts for characters that matplotlib's default font lacks, used if installed."""


def gates(layer: LayerTrace, path: Path, step_labels: Labels = None, sequence: int = 0) -> None:
    """Plot each gate and state as a heatmap with time on the x axis and units on the y axis.

    Args:
        layer: Trace of a layer.
        path: PNG file to write.
        step_labels: Label of each time step, such as tokens. Default: numbers.
        sequence: Index of the sequence in the batch.

    Raises:
        InputError: If `layer` is the trace of a model, or the number of labels is not the number
            of time steps.
    """
    _check_layer(layer)
    arrays = {name: array[sequence] for name, array in {**layer.gates, **layer.states}.items()}
    step_labels = _axis_labels(layer, step_labels)
    rows = -(-len(arrays) // 2)
    with _figure(path, max(9, 0.5 * len(step_labels) + 2), 2.8 * rows) as figure:
        panels = figure.subplots(rows, 2, squeeze=False).flat
        for axes, (name, array) in zip(panels, arrays.items(), strict=False):
            values = np.where(layer.unmasked[sequence][:, None], array, np.nan).T
            # Gates are between 0 and 1, states on both sides of 0.
            high = max(1.0, array.max()) if array.min() >= 0 else np.abs(array).max()
            low, cmap = (0.0, "Blues") if array.min() >= 0 else (-high, "RdBu")
            image = axes.imshow(
                values, aspect="auto", cmap=cmap, vmin=low, vmax=high, interpolation="nearest"
            )
            figure.colorbar(image, ax=axes)
            axes.set(title=name, ylabel="unit")
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            _label_time(axes, step_labels)
        for axes in panels:
            axes.axis("off")


def states(
    layer: LayerTrace,
    path: Path,
    step_labels: Labels = None,
    sequence: int = 0,
    units: Sequence[int] | None = None,
) -> None:
    """Plot states as lines over time.

    Args:
        layer: Trace of a layer.
        path: PNG file to write.
        step_labels: Label of each time step, such as tokens. Default: numbers.
        sequence: Index of the sequence in the batch.
        units: Indices of the units. Default: the eight whose c, or h in cells without c, varies
            most.

    Raises:
        InputError: If `layer` is the trace of a model, or the number of labels is not the number
            of time steps.
    """
    _check_layer(layer)
    arrays = {name: array[sequence] for name, array in layer.states.items()}
    step_labels = _axis_labels(layer, step_labels)
    if units is None:
        ranges = np.ptp(list(arrays.values())[-1], axis=0)
        units = np.argsort(-ranges, kind="stable")[:8].tolist()
    with _figure(path, max(6, 0.3 * len(step_labels) + 2), 2.6 * len(arrays)) as figure:
        for axes, (name, array) in zip(np.ravel(figure.subplots(len(arrays), 1)), arrays.items()):
            for unit in units:
                line = np.where(layer.unmasked[sequence], array[:, unit], np.nan)
                axes.plot(line, marker=".", label=f"unit {unit}")
            axes.set(title=name)
            axes.grid(alpha=0.3)
            _label_time(axes, step_labels)
        axes.legend(fontsize=7, ncols=4)


def gradients(
    norms: Mapping[str, Mapping[str, Array]],
    path: Path,
    step_labels: Labels = None,
    sequence: int = 0,
) -> None:
    """Plot norms over time on a logarithmic axis, one line per layer and state.

    Args:
        norms: Layer name to state name to norms `(batch, timesteps)`: the result of
            `Trace.gradient_norms`, or `{name: trace.jacobian_norms(name)}`.
        path: PNG file to write.
        step_labels: Label of each time step, such as tokens. Default: numbers. Layers of another
            length are left out.
        sequence: Index of the sequence in the batch.
    """
    lines = {
        f"{layer} {state}": array[sequence]
        for layer, states in norms.items()
        for state, array in states.items()
    }
    longest = max(map(len, lines.values())) if step_labels is None else len(step_labels)
    step_labels = list(map(str, range(longest))) if step_labels is None else step_labels
    with _figure(path, max(7, 0.3 * len(step_labels) + 4), 4) as figure:
        axes = figure.subplots()
        for name, line in lines.items():
            if len(line) == len(step_labels):
                axes.plot(np.where(line > 0, line, np.nan), marker=".", label=name)
        axes.set(yscale="log", ylabel="norm")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
        _label_time(axes, step_labels)


def unrolled(
    layer: LayerTrace,
    path: Path,
    step_labels: Labels = None,
    sequence: int = 0,
    unit: int = 0,
) -> None:
    """Plot the network unrolled over a short sequence, with the values of one unit.

    Args:
        layer: Trace of a layer.
        path: PNG file to write.
        step_labels: Label of each time step, such as tokens. Default: numbers.
        sequence: Index of the sequence in the batch.
        unit: Index of the unit.

    Raises:
        InputError: If `layer` is the trace of a model, there are more than 12 time steps, or the
            number of labels is not the number of time steps.
    """
    _check_layer(layer)
    step_labels = _axis_labels(layer, step_labels)
    if len(step_labels) > MAX_UNROLLED_STEPS:
        raise InputError(
            f"An unrolled network is plotted for at most {MAX_UNROLLED_STEPS} time steps, got "
            f"{len(step_labels)}."
        )
    boxed, arrow = {"boxstyle": "round", "facecolor": "#eef4fb"}, {"arrowstyle": "->"}
    with _figure(path, 1.6 * (len(step_labels) + 1), 0.3 * len(layer.gates) + 2.2) as figure:
        axes = figure.subplots()
        axes.set(xlim=(-1.6, len(step_labels) + 0.6), ylim=(-1.05, 1.05))
        axes.axis("off")
        before, after = (len(step_labels), -1) if layer.go_backwards else (-1, len(step_labels))
        # The arrows of h are above those of c.
        for height, name in zip((0.2, -0.2), layer.states, strict=False):
            values = layer.states[name][sequence, :, unit]
            initial = layer.initial_states[name][sequence, unit]
            step = -1 if layer.go_backwards else 1
            for t in range(before, after, step):
                value = initial if t == before else values[t]
                axes.annotate(
                    "", (t + 0.68 * step, height), (t + 0.32 * step, height), arrowprops=arrow
                )
                axes.text(t + 0.5 * step, height + 0.06, f"{name} {value:.2f}", ha="center", size=7)
        for t, name in enumerate(step_labels):
            lines = [
                f"{gate} {array[sequence, t, unit]:.2f}" for gate, array in layer.gates.items()
            ]
            text = "\n".join(lines) if layer.unmasked[sequence, t] else "skipped"
            axes.text(t, 0, text, ha="center", va="center", size=7, bbox=boxed)
            axes.annotate("", (t, -0.5), (t, -0.8), arrowprops=arrow)
            axes.text(t, -0.95, name, ha="center", size=9)
            axes.annotate("", (t, 0.8), (t, 0.5), arrowprops=arrow)
            output = layer.outputs[sequence, t, unit]
            axes.text(t, 0.87, f"{output:.2f}", ha="center", size=8)
        axes.set_title(f"unit {unit}", size=9)


def _check_layer(layer: object) -> None:
    """Raise an error for the trace of a model in place of that of a layer."""
    if isinstance(layer, dict):
        names = " or ".join(f"trace[{name!r}]" for name in list(layer)[:2])
        raise InputError(f"A plot shows one layer: pass {names}, not the trace of the model.")


def _axis_labels(layer: LayerTrace, step_labels: Labels) -> list[str]:
    """Return the label of each time step as a string.

    Raises:
        InputError: If the number of labels is not the number of time steps.
    """
    timesteps = layer.outputs.shape[1]
    if step_labels is None:
        return list(map(str, range(timesteps)))
    if len(step_labels) != timesteps:
        raise InputError(
            f"There must be one label per time step, got {len(step_labels)} for {timesteps}."
        )
    return list(map(str, step_labels))


@contextlib.contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield a figure that is saved at the end of the context."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in FALLBACK_FONTS if name in installed)]
    with matplotlib.rc_context({"font.family": fonts}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with warnings.catch_warnings():
            # Characters without a glyph appear as boxes, so a warning for each is not needed.
            warnings.filterwarnings("ignore", "Glyph", UserWarning)
            figure.savefig(path, dpi=120)


def _label_time(axes: Axes, step_labels: Sequence[str]) -> None:
    are_long = max(map(len, step_labels)) > 2
    axes.set_xticks(
        range(len(step_labels)), step_labels, rotation=90 if are_long else 0, fontsize=7
    )

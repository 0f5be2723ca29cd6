"""Pictures of a trace, as PNG files."""

import contextlib
import warnings

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure

from keras_seq._internal.errors import InputError

MAX_UNROLLED_STEPS = 12
"""Time steps of the longest sequence that is drawn with its numbers."""

FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "PingFang SC",
)
"""Fonts for tokens that matplotlib's own has no letters for, taken where they are installed."""


def gates(layer, path, step_labels=None, sequence=0):
    """Draws every gate and state as a heatmap: time to the right, a row a unit.

    Args:
        layer: A `keras_seq.tracing.LayerTrace`.
        path: PNG file.
        step_labels: What stands at each time step, such as tokens; numbers by default.
        sequence: Which of the batch.
    """
    arrays = {name: array[sequence] for name, array in {**layer.gates, **layer.states}.items()}
    step_labels = _axis_labels(layer, step_labels)
    rows = -(-len(arrays) // 2)
    with _figure(path, max(9, 0.5 * len(step_labels) + 2), 2.8 * rows) as figure:
        panels = figure.subplots(rows, 2, squeeze=False).flat
        for axes, (name, array) in zip(panels, arrays.items()):
            shown = np.where(layer.unmasked[sequence][:, None], array, np.nan).T
            # A gate lies between 0 and 1, a state on both sides of 0.
            high = max(1.0, array.max()) if array.min() >= 0 else np.abs(array).max()
            low, colours = (0, "Blues") if array.min() >= 0 else (-high, "RdBu")
            image = axes.imshow(
                shown, aspect="auto", cmap=colours, vmin=low, vmax=high, interpolation="nearest"
            )
            figure.colorbar(image, ax=axes)
            axes.set(title=name, ylabel="unit")
            _label_time(axes, step_labels)
        for axes in panels:
            axes.axis("off")


def states(layer, path, step_labels=None, sequence=0, units=None):
    """Draws states as lines over time.

    Args:
        layer, path, step_labels, sequence: As in `gates`.
        units: Which to draw; by default the eight whose last state, c or h, varies most.
    """
    arrays = {name: array[sequence] for name, array in layer.states.items()}
    step_labels = _axis_labels(layer, step_labels)
    if units is None:
        units = np.argsort(-np.ptp(list(arrays.values())[-1], axis=0), kind="stable")[:8]
    with _figure(path, max(6, 0.3 * len(step_labels) + 2), 2.6 * len(arrays)) as figure:
        for axes, (name, array) in zip(np.ravel(figure.subplots(len(arrays), 1)), arrays.items()):
            for unit in units:
                line = np.where(layer.unmasked[sequence], array[:, unit], np.nan)
                axes.plot(line, marker=".", label=f"unit {unit}")
            axes.set(title=name)
            axes.grid(alpha=0.3)
            _label_time(axes, step_labels)
        axes.legend(fontsize=7, ncols=4)


def gradients(norms, path, step_labels=None, sequence=0):
    """Draws norms over time, one line a layer and state, on a logarithmic axis.

    Args:
        norms: Dict of layer name to a dict of state name to `(batch, timesteps)`, as
            `Trace.gradient_norms` returns; or `{name: trace.jacobian_norms(name)}`.
        path, step_labels, sequence: As in `gates`. Layers of another length are left out.
    """
    lines = {f"{n} {s}": a[sequence] for n, by in norms.items() for s, a in by.items()}
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


def unrolled(layer, path, step_labels=None, sequence=0, unit=0):
    """Draws the network unrolled over a short sequence, with the numbers of one unit.

    Args:
        layer, path, step_labels, sequence: As in `gates`; at most 12 time steps.
        unit: Whose numbers.

    Raises:
        InputError: The sequence is longer.
    """
    step_labels = _axis_labels(layer, step_labels)
    if len(step_labels) > MAX_UNROLLED_STEPS:
        raise InputError(
            f"An unrolled network is drawn of {MAX_UNROLLED_STEPS} time steps at most, not "
            f"{len(step_labels)}."
        )
    boxed, arrow = {"boxstyle": "round", "facecolor": "#eef4fb"}, {"arrowstyle": "->"}
    with _figure(path, 1.6 * (len(step_labels) + 1), 0.3 * len(layer.gates) + 2.2) as figure:
        axes = figure.subplots()
        axes.set(xlim=(-1.6, len(step_labels) + 0.6), ylim=(-1.05, 1.05))
        axes.axis("off")
        before, after = (len(step_labels), -1) if layer.go_backwards else (-1, len(step_labels))
        # State by state, the arrows one above the other.
        for height, name in zip((0.2, -0.2), layer.states):
            values = layer.states[name][sequence, :, unit]
            first = layer.initial_states[name][sequence, unit]
            step = -1 if layer.go_backwards else 1
            for t in range(before, after, step):
                value = first if t == before else values[t]
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


def _axis_labels(layer, step_labels):
    """What stands at each time step as text; numbers if it is not given.

    Raises:
        InputError: There are more or fewer than the layer has time steps.
    """
    timesteps = layer.outputs.shape[1]
    if step_labels is None:
        return list(map(str, range(timesteps)))
    if len(step_labels) != timesteps:
        raise InputError(f"There are {len(step_labels)} names for {timesteps} time steps.")
    return list(map(str, step_labels))


@contextlib.contextmanager
def _figure(path, width, height):
    """A figure, saved in the end."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in FALLBACK_FONTS if name in installed)]
    with matplotlib.rc_context({"font.family": fonts}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with warnings.catch_warnings():
            # What no font has letters for shows as boxes; one need not be told of each.
            warnings.filterwarnings("ignore", "Glyph", UserWarning)
            figure.savefig(path, dpi=120)


def _label_time(axes, step_labels):
    long = max(map(len, step_labels)) > 2
    axes.set_xticks(range(len(step_labels)), step_labels, rotation=90 if long else 0, fontsize=7)

"""Plots of a run, as PNG files."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from keras_seq._internal.files import name_for
from keras_seq._internal.types import Array, ArrayLike

if TYPE_CHECKING:
    from keras_seq.models import CTCRecognizer
    from keras_seq.models.results import Translation

MAX_PLOT_TOKENS = 60
"""Maximum number of tokens per axis of an attention plot. Longer texts are cut."""


def learning_curve(history: Sequence[Mapping[str, Any]], monitor: str, path: Path) -> None:
    """Plot the loss and the other metrics of each split over the epochs.

    Args:
        history: Logs per epoch, all with the same keys; those of the validation split begin with
            `val_`.
        monitor: Metric by which the best epoch is chosen. It is drawn even if training does not
            log it.
        path: PNG file to write.
    """
    epochs = [row["epoch"] for row in history]
    splits = ("val_", "test_")
    names = [key for key in history[0] if f"val_{key}" in history[0] or key == "loss"]
    if monitor not in names and f"val_{monitor}" in history[0]:
        names.append(monitor)
    figure = Figure(figsize=(5 * len(names), 3.5), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for prefix in ("", *splits):
            if prefix + name in history[0]:
                label = {"": "train", "val_": "validation", "test_": "test"}[prefix]
                axes.plot(epochs, [row[prefix + name] for row in history], label=label)
        axes.set(xlabel="epoch", title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def confusion_matrix(
    targets: ArrayLike, predictions: ArrayLike, labels: Sequence[Any], path: Path
) -> None:
    """Plot the confusion matrix of a classifier.

    Args:
        targets: Class indices `(examples,)`.
        predictions: Class indices `(examples,)`.
        labels: Name of each class, in the order of the indices.
        path: PNG file to write.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    size = 2 + 0.45 * len(labels)
    figure = Figure(figsize=(size, size), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        targets,
        predictions,
        labels=range(len(labels)),
        display_labels=labels,
        ax=figure.subplots(),
        colorbar=False,
        cmap="Blues",
    )
    figure.savefig(path, dpi=120)


def calibration(bins: Sequence[tuple[float, float, int]], path: Path) -> None:
    """Plot a reliability diagram: accuracy over predicted probability.

    Args:
        bins: Mean probability, accuracy and number of examples of each bin.
        path: PNG file to write.
    """
    probabilities, accuracies, counts = zip(*bins, strict=True)
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(probabilities, accuracies, marker="o")
    for x, y, count in zip(probabilities, accuracies, counts, strict=True):
        axes.annotate(str(count), (x, y), textcoords="offset points", xytext=(4, -10), fontsize=8)
    axes.set(xlabel="probability", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def parallel_coordinates(
    rows: Sequence[Mapping[str, Any]],
    fields: Mapping[str, bool],
    score: str,
    mode: Literal["min", "max"],
    path: Path,
) -> None:
    """Plot trials as lines over parallel axes: one per field, and the score last.

    Args:
        rows: Fields and score of each trial. Better trials are drawn lighter.
        fields: Field name to True if its axis is logarithmic. Values may be numbers or strings.
        score: Name of the score.
        mode: "min" if lower scores are better, or "max".
        path: PNG file to write.
    """
    rows = sorted(rows, key=lambda row: row[score], reverse=mode == "min")
    names = [*fields, score]
    figure = Figure(figsize=(2 + 1.4 * len(names), 4.5), layout="constrained")
    axes = figure.subplots()
    columns = []
    for x, name in enumerate(names):
        heights, ticks = _axis([row[name] for row in rows], fields.get(name, False))
        columns.append(heights)
        axes.axvline(x, color="grey", linewidth=1)
        for label, y in ticks:
            axes.annotate(label, (x, y), textcoords="offset points", xytext=(3, 2), fontsize=8)
    for rank, line in enumerate(zip(*columns, strict=True)):  # the best is drawn last
        color = colormaps["viridis"]((rank + 1) / len(rows))
        axes.plot(line, color=color, linewidth=3 if rank == len(rows) - 1 else 1.2)
    axes.set(xlim=(-0.2, len(names) - 0.5), ylim=(-0.05, 1.1), yticks=[])
    axes.set_xticks(range(len(names)), names, rotation=20)
    axes.spines[:].set_visible(False)
    figure.savefig(path, dpi=120)


def _axis(values: Sequence[Any], log: bool) -> tuple[list[float], list[tuple[str, float]]]:
    """Return heights from 0 to 1 for the values, and labels of the axis with their heights."""
    if any(isinstance(value, str | bool) for value in values):
        kinds = sorted(set(values))
        heights = {kind: (n + 0.5) / len(kinds) for n, kind in enumerate(kinds)}
        return [heights[v] for v in values], [(str(kind), y) for kind, y in heights.items()]
    scale = math.log if log else float
    low, high = min(values), max(values)
    if low == high:
        return [0.5] * len(values), [(f"{low:.4g}", 0.5)]
    scaled = [(scale(v) - scale(low)) / (scale(high) - scale(low)) for v in values]
    return scaled, [(f"{low:.4g}", 0), (f"{high:.4g}", 1)]


def attention(translations: Sequence["Translation"], path: str | PathLike[str] | IO[bytes]) -> None:
    """Plot the attention weights of translations, one panel each.

    Args:
        translations: Translations with attention weights. Those without tokens are left out.
        path: PNG file to write, or an open binary file. Nothing is written without panels.
    """
    end = MAX_PLOT_TOKENS
    panels = [
        (translation.source[:end], translation.tokens[:end], translation.attention[:end, :end])
        for translation in translations
        if translation.tokens and translation.attention is not None
    ]
    if not panels:
        return
    width = 1.2 + 0.3 * max(len(source) for source, _, _ in panels)
    height = 1.2 + 0.3 * max(len(tokens) for _, tokens, _ in panels)
    columns = min(len(panels), max(1, int(14 / width)))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (source, tokens, weights) in zip(grid, panels, strict=False):
        axes.imshow(weights, cmap="Greys", vmin=0, vmax=1)
        axes.set_xticks(range(len(source)), source, rotation=90)
        axes.set_yticks(range(len(tokens)), tokens)
        axes.xaxis.tick_top()
    for axes in grid[len(panels) :]:
        axes.axis("off")
    figure.savefig(path, dpi=120)


def transcription(recognizer: "CTCRecognizer", recording: Array, path: Path) -> None:
    """Plot a recording over time: spectrogram, probabilities of characters, and greedy text.

    Args:
        recognizer: Trained recognizer.
        recording: Audio samples `(samples,)`.
        path: PNG file to write.
    """
    log_mel = recognizer.spectrogram(recording).T
    [log_probs] = recognizer.log_probs([recording])
    seconds = len(recording) / recognizer.sample_rate
    times = np.arange(len(log_probs) + 1) * recognizer.seconds_per_step
    figure = Figure(figsize=(max(6, min(24, 5 * seconds)), 6), layout="constrained")
    spectrogram, probabilities, text = figure.subplots(3, sharex=True, height_ratios=[3, 3, 0.6])
    spectrogram.imshow(
        log_mel, aspect="auto", origin="lower", cmap="magma", extent=(0, seconds, 0, len(log_mel))
    )
    spectrogram.set(ylabel="mel band")
    path_characters = recognizer.collapse(log_probs.argmax(axis=1))
    probabilities.stairs(np.exp(log_probs[:, 0]), times, color="lightgrey", label="blank")
    names = sorted({character for character, _ in path_characters})
    for number, name in enumerate(names):
        column = 1 + recognizer.alphabet.index(name)
        color = colormaps["turbo"]((number + 0.5) / len(names))
        probabilities.stairs(np.exp(log_probs[:, column]), times, color=color, label=name)
    probabilities.set(ylabel="probability", ylim=(0, 1.05))
    probabilities.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
    for character, step in path_characters:
        visible = "\u2423" if character == " " else character
        text.text(times[step], 0.3, visible, family="monospace")
    text.set(xlabel="seconds", yticks=[], ylim=(0, 1), xlim=(0, times[-1]))
    figure.savefig(path, dpi=120)


def filmstrips(
    clips: Sequence[tuple[str, Array, Mapping[str, Sequence[float]]]], path: Path
) -> None:
    """Plot the frames of video clips above the probabilities of the three likeliest labels.

    Args:
        clips: Title, frames and probabilities of each clip. Frames are uint8 `(time, height,
            width)` or `(time, height, width, 3)`; probabilities map labels to `(time,)`.
        path: PNG file to write.
    """
    longest = max(len(frames) for _, frames, _ in clips)
    figure = Figure(figsize=(1.5 + 0.6 * longest, 2.2 * len(clips)), layout="constrained")
    grid = figure.subplots(2 * len(clips), 1, height_ratios=[2, 3] * len(clips), squeeze=False)
    for number, (title, frames, probabilities) in enumerate(clips):
        strip, axes = grid[2 * number : 2 * number + 2, 0]
        for time, frame in enumerate(frames):
            strip.imshow(frame, cmap="gray", extent=(time - 0.48, time + 0.48, 0, 1))
        strip.set(title=title, xlim=(-0.5, longest - 0.5), ylim=(0, 1), aspect="auto")
        strip.axis("off")
        peaks = {label: max(values) for label, values in probabilities.items()}
        for label in sorted(peaks, key=lambda label: -peaks[label])[:3]:
            axes.plot(probabilities[label], marker=".", label=label)
        axes.set(xlim=(-0.5, longest - 0.5), ylim=(-0.05, 1.05), ylabel="probability")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="center left")
    figure.savefig(path, dpi=100)


def plot_path(folder: Path, text: str, label: str | None = None) -> Path:
    """Return the path of a plot, and create its folder.

    Args:
        folder: Folder of the plot.
        text: Text or path of an input. Plots of different inputs have different names.
        label: Text whose letters and digits, at most 40, begin the name. Default: the input.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name_for(text, label)}.png"

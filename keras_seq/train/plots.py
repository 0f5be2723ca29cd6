"""Pictures of a run, as PNG files."""

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure


def learning_curve(history, monitor, path):
    """Draws the loss and the other metrics over epochs, training and validation side by side.

    Args:
        history: Dicts with the same keys, one an epoch, as Keras logs them.
        monitor: Metric by which the best epoch is chosen, drawn even if training does not log it.
        path: PNG file.
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


def confusion_matrix(targets, predictions, labels, path):
    """Draws how often each class was taken for which.

    Args:
        targets: Class numbers, (examples,).
        predictions: Class numbers, (examples,).
        labels: Names of the classes in the order of their numbers.
        path: PNG file.
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


def calibration(bins, path):
    """Draws how often the model is right over how sure it says it is.

    Args:
        bins: (mean probability, share that is right, number of examples).
        path: PNG file.
    """
    sure, right, counts = zip(*bins)
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(sure, right, marker="o")
    for x, y, count in zip(sure, right, counts):
        axes.annotate(str(count), (x, y), textcoords="offset points", xytext=(4, -10), fontsize=8)
    axes.set(xlabel="probability", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def parallel_coordinates(rows, fields, score, mode, path):
    """Draws trials as lines over an axis a field and, last, their score; good ones are light.

    Args:
        rows: Dicts, one a trial.
        fields: Field name to whether its axis is logarithmic; fields may be numbers or not.
        score: Name of the score.
        mode: "min" if lower scores are better, or "max".
        path: PNG file.
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
    for rank, line in enumerate(zip(*columns)):  # the best is drawn last
        colour = colormaps["viridis"]((rank + 1) / len(rows))
        axes.plot(line, color=colour, linewidth=3 if rank == len(rows) - 1 else 1.2)
    axes.set(xlim=(-0.2, len(names) - 0.5), ylim=(-0.05, 1.1), yticks=[])
    axes.set_xticks(range(len(names)), names, rotation=20)
    axes.spines[:].set_visible(False)
    figure.savefig(path, dpi=120)


def _axis(values, log):
    """Heights from 0 to 1 for the values, and the labels to write at heights."""
    if any(isinstance(value, str | bool) for value in values):
        kinds = sorted(set(values))
        heights = {kind: (n + 0.5) / len(kinds) for n, kind in enumerate(kinds)}
        return [heights[v] for v in values], [(str(kind), y) for kind, y in heights.items()]
    scale = math.log if log else float
    low, high = min(values), max(values)
    if low == high:
        return [0.5] * len(values), [(f"{low:.4g}", 0.5)]
    heights = [(scale(v) - scale(low)) / (scale(high) - scale(low)) for v in values]
    return heights, [(f"{low:.4g}", 0), (f"{high:.4g}", 1)]


MOST = 60
"""Tokens of either side in a picture of attention; of longer texts there is the beginning."""


def attention(translations, path):
    """Draws where was looked, a picture for each translation: darker is more.

    Args:
        translations: `keras_seq.models.results.Translation`s with their weights; of those without
            a token there is no picture.
        path: PNG file, or one that is open; without pictures nothing is written.
    """
    looks = [
        (one.source[:MOST], one.tokens[:MOST], one.attention[:MOST, :MOST])
        for one in translations
        if one.tokens
    ]
    if not looks:
        return
    width = 1.2 + 0.3 * max(len(source) for source, _, _ in looks)
    height = 1.2 + 0.3 * max(len(tokens) for _, tokens, _ in looks)
    columns = min(len(looks), max(1, int(14 / width)))
    rows = -(-len(looks) // columns)
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (source, tokens, weights) in zip(grid, looks):
        axes.imshow(weights, cmap="Greys", vmin=0, vmax=1)
        axes.set_xticks(range(len(source)), source, rotation=90)
        axes.set_yticks(range(len(tokens)), tokens)
        axes.xaxis.tick_top()
    for axes in grid[len(looks) :]:
        axes.axis("off")
    figure.savefig(path, dpi=120)


def heard(recognizer, recording, path):
    """Draws a recording on one axis of time: spectrogram, probabilities of letters, and the text.

    Args:
        recognizer: A `keras_seq.models.CTCRecognizer`.
        recording: Samples.
        path: PNG file.
    """
    log_mel = recognizer.spectrogram(recording).T
    [log_probs] = recognizer.log_probs([recording])
    seconds = len(recording) / recognizer.sample_rate
    times = np.arange(len(log_probs) + 1) * recognizer.seconds_per_step
    figure = Figure(figsize=(max(6, min(24, 5 * seconds)), 6), layout="constrained")
    sound, letters, text = figure.subplots(3, sharex=True, height_ratios=[3, 3, 0.6])
    sound.imshow(
        log_mel, aspect="auto", origin="lower", cmap="magma", extent=(0, seconds, 0, len(log_mel))
    )
    sound.set(ylabel="mel band")
    written = recognizer.collapse(log_probs.argmax(axis=1))
    letters.stairs(np.exp(log_probs[:, 0]), times, color="lightgrey", label="blank")
    names = sorted({letter for letter, _ in written})
    for number, name in enumerate(names):
        column = 1 + recognizer.alphabet.index(name)
        colour = colormaps["turbo"]((number + 0.5) / len(names))
        letters.stairs(np.exp(log_probs[:, column]), times, color=colour, label=name)
    letters.set(ylabel="probability", ylim=(0, 1.05))
    letters.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
    for letter, step in written:
        text.text(times[step], 0.3, "\u2423" if letter == " " else letter, family="monospace")
    text.set(xlabel="seconds", yticks=[], ylim=(0, 1), xlim=(0, times[-1]))
    figure.savefig(path, dpi=120)


def attention_of_each(texts, translations, folder):
    """Draws where was looked for the best translation of each text.

    Args:
        texts: Strings.
        translations: Of each a list, the best first, see `attention`.
        folder: Where to write; it is made.

    Yields:
        For every translation its text, itself, and the path of the text's picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for text, found in zip(texts, translations):
        path = folder / f"{file_name(text)}.png"
        attention(found[:1], path)
        for one in found:
            yield text, one, str(path)


def filmstrips(clips, path):
    """Draws the frames of clips, and below them how likely was what by then.

    Args:
        clips: (title, frames (time, height, width) or (time, height, width, 3) of uint8, dict of
            label to probabilities (time,)); the three labels that are likeliest at some time are
            drawn.
        path: PNG file.
    """
    longest = max(len(frames) for _, frames, _ in clips)
    figure = Figure(figsize=(1.5 + 0.6 * longest, 2.2 * len(clips)), layout="constrained")
    grid = figure.subplots(2 * len(clips), 1, height_ratios=[2, 3] * len(clips), squeeze=False)
    for number, (title, frames, chances) in enumerate(clips):
        strip, axes = grid[2 * number : 2 * number + 2, 0]
        for time, frame in enumerate(frames):
            strip.imshow(frame, cmap="gray", extent=(time - 0.48, time + 0.48, 0, 1))
        strip.set(title=title, xlim=(-0.5, longest - 0.5), ylim=(0, 1), aspect="auto")
        strip.axis("off")
        for label in sorted(chances, key=lambda label: -max(chances[label]))[:3]:
            axes.plot(chances[label], marker=".", label=label)
        axes.set(xlim=(-0.5, longest - 0.5), ylim=(-0.05, 1.05), ylabel="probability")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="center left")
    figure.savefig(path, dpi=100)


def file_name(text):
    """A name for the picture of a text: its letters and digits, at most 40."""
    return "".join(c if c.isalnum() else "_" for c in text[:40]) or "_"

"""Sequence logos (Schneider & Stephens 1990) of the bases that decide a class."""

import collections
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from keras_seq.batching import RawExamples
from keras_seq.models import SequenceClassifier

from .bases import BASES, base_probabilities

MAX_CLASSES = 8
"""Maximum number of classes to draw; the most frequent ones are drawn."""
MAX_PREDICTIONS = 30_000
"""Maximum number of sequences to classify for one logo."""
COLORS = dict(zip(BASES, ("#2e7d32", "#1565c0", "#ef8e00", "#c62828")))


def compute_saliency(model: SequenceClassifier, examples: RawExamples) -> dict[str, np.ndarray]:
    """Return the decrease of the log-odds when a base is replaced by N (occlusion).

    Only sequences of the most frequent length are used.

    Args:
        model: Classifier over bases.
        examples: One split of `load`.

    Returns:
        Label to `(positions, 4)`: the mean decrease over its sequences, in the column of the base
        that was replaced.
    """
    rows = collections.defaultdict(list)
    length = collections.Counter(map(len, examples.inputs)).most_common(1)[0][0]
    for sequence, label in zip(examples.inputs, examples.targets["labels"]):
        if len(sequence) == length:
            rows[label].append(sequence)
    labels = sorted(rows, key=lambda label: -len(rows[label]))[:MAX_CLASSES]
    max_rows = max(1, MAX_PREDICTIONS // (len(labels) * (length + 1)))
    return {
        label: _label_saliency(model, rows[label][:max_rows], label) for label in sorted(labels)
    }


def _label_saliency(model: SequenceClassifier, sequences: list[str], label: str) -> np.ndarray:
    length = len(sequences[0])
    variants = []
    for sequence in sequences:
        variants.append(sequence)
        variants += [sequence[:n] + "N" + sequence[n + 1 :] for n in range(length)]
    log_odds = []
    for prediction in model.classify(variants, batch_size=512):
        rest = sum(p for name, p in prediction.probabilities.items() if name != label)
        log_odds.append(np.log(max(prediction.probabilities[label], 1e-9) / max(rest, 1e-9)))
    by_sequence = np.reshape(log_odds, (len(sequences), length + 1))
    table = base_probabilities()
    bases = np.array([[table[letter.lower()] for letter in sequence] for sequence in sequences])
    return ((by_sequence[:, :1] - by_sequence[:, 1:])[:, :, None] * bases).mean(axis=0)


def draw_logo(heights: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw letters of the given heights, the tallest on top at each position.

    Args:
        heights: Label to `(positions, 4)`, in the order of `BASES`. Negative heights hang below
            zero.
        path: PNG file.
    """
    num_positions = max(map(len, heights.values()))
    size = min(40, 2 + 0.2 * num_positions), 2.2 * len(heights)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(heights), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (label, rows) in zip(grid, heights.items(), strict=True):
        for position, row in enumerate(rows, 1):
            for sign in (1, -1):
                bottom = 0.0
                for column in np.argsort(sign * row):
                    height = row[column]
                    if sign * height > 0:
                        _draw_letter(axes, BASES[column], position, bottom, height)
                        bottom += height
        axes.axhline(0, color="grey", linewidth=0.5)
        axes.set(xlim=(0.4, num_positions + 0.6), ylabel="log-odds", title=label)
        axes.autoscale(axis="y")
    grid[-1].set_xlabel("base")
    figure.savefig(path, dpi=120)


def _draw_letter(axes: Axes, letter: str, position: int, bottom: float, height: float) -> None:
    """Draw a letter one position wide and `height` tall; a negative height hangs down."""
    shape = TextPath((0, 0), letter, size=1)
    box = shape.get_extents()
    transform = (
        Affine2D()
        .translate(-box.x0, -box.y0)
        .scale(0.9 / box.width, abs(height) / box.height)
        .translate(position - 0.45, min(bottom, bottom + height))
    )
    axes.add_patch(PathPatch(transform.transform_path(shape), color=COLORS[letter], linewidth=0))

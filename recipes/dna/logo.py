"""Which bases say what a class is, as a sequence logo (Schneider & Stephens 1990)."""

import collections

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from .bases import BASES, vectors

CLASSES = 8
"""How many are drawn, the most frequent ones."""
READINGS = 30_000
"""How many the model is to do at most for a picture."""
COLOURS = dict(zip(BASES, ("#2e7d32", "#1565c0", "#ef8e00", "#c62828")))


def saliency(model, examples):
    """How much less sure of a class the model is when a base may be any: occlusion.

    Of the sequences of the most frequent length.

    Args:
        model: `keras_seq.models.SequenceClassifier` over bases.
        examples: Of a split of `load`.

    Returns:
        Dict of label to `(positions, 4)`: what the log-odds of the label lose, the mean over its
        sequences, in the column of the base that was there.
    """
    rows = collections.defaultdict(list)
    length = collections.Counter(map(len, examples.inputs)).most_common(1)[0][0]
    for sequence, label in zip(examples.inputs, examples.targets["labels"]):
        if len(sequence) == length:
            rows[label].append(sequence)
    labels = sorted(rows, key=lambda label: -len(rows[label]))[:CLASSES]
    most = max(1, READINGS // (len(labels) * (length + 1)))
    return {label: _saliency(model, rows[label][:most], label) for label in sorted(labels)}


def _saliency(model, sequences, label):
    length = len(sequences[0])
    readings = []
    for sequence in sequences:
        readings.append(sequence)
        readings += [sequence[:n] + "N" + sequence[n + 1 :] for n in range(length)]
    odds = []
    for found in model.classify(readings, batch_size=512):
        others = sum(p for name, p in found.probabilities.items() if name != label)
        odds.append(np.log(max(found.probabilities[label], 1e-9) / max(others, 1e-9)))
    odds = np.reshape(odds, (len(sequences), length + 1))
    table = vectors()
    bases = np.array([[table[letter.lower()] for letter in sequence] for sequence in sequences])
    return ((odds[:, :1] - odds[:, 1:])[:, :, None] * bases).mean(axis=0)


def draw(heights, path):
    """Draws letters as high as they count, at each position the highest on top.

    Args:
        heights: Dict of label to `(positions, 4)`, of `BASES`; what is below zero hangs down.
        path: PNG file.
    """
    positions = max(len(of) for of in heights.values())
    size = min(40, 2 + 0.2 * positions), 2.2 * len(heights)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(heights), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (label, of) in zip(grid, heights.items(), strict=True):
        for place, column in enumerate(of, 1):
            for sign in (1, -1):
                bottom = 0.0
                for number in np.argsort(sign * column):
                    height = column[number]
                    if sign * height > 0:
                        _letter(axes, BASES[number], place, bottom, height)
                        bottom += height
        axes.axhline(0, color="grey", linewidth=0.5)
        axes.set(xlim=(0.4, positions + 0.6), ylabel="log-odds", title=label)
        axes.autoscale(axis="y")
    grid[-1].set_xlabel("base")
    figure.savefig(path, dpi=120)


def _letter(axes, letter, place, bottom, height):
    """A letter one position wide, stretched to a height, which may be below zero."""
    shape = TextPath((0, 0), letter, size=1)
    box = shape.get_extents()
    top = bottom + height
    into = (
        Affine2D()
        .translate(-box.x0, -box.y0)
        .scale(0.9 / box.width, abs(height) / box.height)
        .translate(place - 0.45, min(bottom, top))
    )
    axes.add_patch(PathPatch(into.transform_path(shape), color=COLOURS[letter], linewidth=0))

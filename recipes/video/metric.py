"""How good it is: the share of clips whose action is named right."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from keras_seq.models import VideoClassifier
from keras_seq.train import plots
from keras_seq.train.recipe import Splits

SHOWN = 6
"""Clips as filmstrips."""


def evaluate(model: VideoClassifier, splits: Splits, name: str) -> dict[str, float]:
    """Return accuracy and mean cross-entropy of a split."""
    found = model.classify(splits[name].inputs)
    true = splits[name].targets
    sure = [max(one.probabilities[label], 1e-12) for one, label in zip(found, true)]
    return {
        "accuracy": float(np.mean([one.label == label for one, label in zip(found, true)])),
        "cross_entropy": -float(np.mean(np.log(sure))),
    }


def report(model: VideoClassifier, splits: Splits, name: str, folder: Path) -> None:
    """Draw which actions were taken for which, and clips with what the model made of them.

    The clips, first those that were taken for something else, lie beside as files to look at.
    """
    clips, true = splits[name].inputs, splits[name].targets
    found = [one.label for one in model.classify(clips)]
    numbers = {label: number for number, label in enumerate(model.labels)}
    plots.confusion_matrix(
        [numbers[label] for label in true],
        [numbers[label] for label in found],
        model.labels,
        folder / "confusion_matrix.png",
    )
    wrong = [row for row, label in enumerate(true) if label != found[row]][: SHOWN // 2]
    first = {true[row]: row for row in reversed(range(len(true))) if true[row] == found[row]}
    rows = [*wrong, *sorted(first.values())][:SHOWN]
    strips = [(f"row {row}: {true[row]}", clips[row], over_time(model, clips[row])) for row in rows]
    plots.filmstrips(strips, folder / "filmstrips.png")
    for row in rows:
        save_gif(clips[row], folder / f"row_{row}.gif", model.frame_sampling["fps"])


def over_time(model, clip):
    """The probabilities of the labels after each frame: label to a list."""
    seen = [one.probabilities for one in model.predict_per_frame(clip)]
    return {label: [chances[label] for chances in seen] for label in model.labels}


def save_gif(clip, path, rate):
    """Writes a clip as a file to look at, not quite so many frames a second."""
    first, *others = (Image.fromarray(frame) for frame in clip)
    duration = 10 * math.ceil(100 / rate)  # GIF counts hundredths of a second
    first.save(path, save_all=True, append_images=others, duration=duration, loop=0)

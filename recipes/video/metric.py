"""Metrics of video classification: accuracy and cross-entropy."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from keras_seq.models import VideoClassifier
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

NUM_FILMSTRIPS = 6
"""Number of clips to draw in the report."""


def evaluate(model: VideoClassifier, splits: Splits, name: str) -> Metrics:
    """Return accuracy and mean cross-entropy of a split."""
    predictions = list(model.classify(splits[name].inputs))
    true = splits[name].targets
    likelihoods = [
        max(prediction.probabilities[label], 1e-12) for prediction, label in zip(predictions, true)
    ]
    is_correct = [prediction.label == label for prediction, label in zip(predictions, true)]
    return {
        "accuracy": float(np.mean(is_correct)),
        "cross_entropy": -float(np.mean(np.log(likelihoods))),
    }


def report(model: VideoClassifier, splits: Splits, name: str, folder: Path) -> None:
    """Draw the confusion matrix and filmstrips of some clips, and write these clips as GIFs.

    Wrongly classified clips come first.
    """
    clips, true = splits[name].inputs, splits[name].targets
    predicted = [prediction.label for prediction in model.classify(clips)]
    ids = {label: number for number, label in enumerate(model.labels)}
    plots.confusion_matrix(
        [ids[label] for label in true],
        [ids[label] for label in predicted],
        model.labels,
        folder / "confusion_matrix.png",
    )
    wrong = [row for row, label in enumerate(true) if label != predicted[row]]
    first_correct = {
        true[row]: row for row in reversed(range(len(true))) if true[row] == predicted[row]
    }
    rows = [*wrong[: NUM_FILMSTRIPS // 2], *sorted(first_correct.values())][:NUM_FILMSTRIPS]
    strips = [
        (f"row {row}: {true[row]}", clips[row], probabilities_per_frame(model, clips[row]))
        for row in rows
    ]
    plots.filmstrips(strips, folder / "filmstrips.png")
    for row in rows:
        save_gif(clips[row], folder / f"row_{row}.gif", model.frame_sampling["fps"])


def probabilities_per_frame(model: VideoClassifier, clip: np.ndarray) -> dict[str, list[float]]:
    """Return the probability of each label after each frame."""
    predictions = list(model.predict_per_frame(clip))
    return {
        label: [prediction.probabilities[label] for prediction in predictions]
        for label in model.labels
    }


def save_gif(clip: np.ndarray, path: Path, fps: float) -> None:
    """Write a clip as a GIF file.

    Args:
        clip: Frames `(time, height, width)` or `(time, height, width, 3)`, uint8.
        path: File to write.
        fps: Frames per second. GIF counts hundredths of a second, so playback may be slower.
    """
    first, *others = (Image.fromarray(frame) for frame in clip)
    duration = 10 * math.ceil(100 / fps)  # ms
    first.save(path, save_all=True, append_images=others, duration=duration, loop=0)

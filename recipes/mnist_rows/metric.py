"""Metrics of digit classification: accuracy and loss."""

from pathlib import Path

import keras
import numpy as np

from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits


def evaluate(model: keras.Model, splits: Splits, name: str) -> Metrics:
    """Return accuracy and mean cross-entropy of a split."""
    examples = splits[name]
    metrics = model.evaluate(
        examples.inputs, examples.targets, batch_size=256, verbose=0, return_dict=True
    )
    return {"accuracy": metrics["accuracy"], "loss": metrics["loss"]}


def report(model: keras.Model, splits: Splits, name: str, folder: Path) -> None:
    """Draw the confusion matrix."""
    examples = splits[name]
    predicted = np.argmax(model.predict(examples.inputs, batch_size=256, verbose=0), axis=-1)
    plots.confusion_matrix(
        examples.targets, predicted, list("0123456789"), folder / "confusion_matrix.png"
    )

"""Metrics of sequence classification: accuracy, and precision and recall of each class."""

from pathlib import Path

import numpy as np
from scipy import stats

from keras_seq.batching import RawExamples
from keras_seq.models import SequenceClassifier
from keras_seq.models.results import Prediction
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

from . import logo


def evaluate(model: SequenceClassifier, splits: Splits, name: str) -> Metrics:
    """Return accuracy with its 95% interval, cross-entropy, and metrics of each label."""
    predictions = _classify(model, splits[name])
    true = np.array(splits[name].targets["labels"])
    predicted = np.array([prediction.label for prediction in predictions])
    is_correct = predicted == true
    low, high = accuracy_interval(is_correct.sum(), len(is_correct))
    likelihoods = [prediction.probabilities[label] for prediction, label in zip(predictions, true)]
    return {
        "accuracy": float(is_correct.mean()),
        "cross_entropy": -float(np.mean(np.log(np.maximum(likelihoods, 1e-12)))),
        "accuracy_interval": {"low": low, "high": high},
        "per_label": {
            label: _label_metrics(predicted == label, true == label) for label in model.labels
        },
    }


def _label_metrics(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return the precision and recall of one label, given by bools `(examples,)`."""
    num_correct = float((predicted & true).sum())
    return {
        "precision": num_correct / max(1, predicted.sum()),
        "recall": num_correct / max(1, true.sum()),
    }


def accuracy_interval(num_correct: int, num_examples: int) -> tuple[float, float]:
    """Return the 95% confidence interval of an accuracy (Wilson 1927).

    Args:
        num_correct: Number of correct examples.
        num_examples: Number of examples, at least 1.
    """
    test = stats.binomtest(int(num_correct), int(num_examples))
    low, high = test.proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def report(model: SequenceClassifier, splits: Splits, name: str, folder: Path) -> None:
    """Draw the confusion matrix, and a logo of the bases that decide each class."""
    examples = splits[name]
    ids = {label: number for number, label in enumerate(model.labels)}
    plots.confusion_matrix(
        [ids[label] for label in examples.targets["labels"]],
        [ids[prediction.label] for prediction in _classify(model, examples)],
        model.labels,
        folder / "confusion_matrix.png",
    )
    logo.draw_logo(logo.compute_saliency(model, examples), folder / "logo.png")


def _classify(model: SequenceClassifier, examples: RawExamples) -> list[Prediction]:
    return list(model.classify(examples.inputs, batch_size=256))

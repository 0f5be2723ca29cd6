"""How good it is: sequences named right, in all and class by class."""

from pathlib import Path

import numpy as np
from scipy import stats

from keras_seq.models import SequenceClassifier
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

from . import logo


def evaluate(model: SequenceClassifier, splits: Splits, name: str) -> Metrics:
    """Return accuracy, its 95% confidence interval, cross-entropy; precision, recall by class."""
    found, true = _found(model, splits[name]), np.array(splits[name].targets["labels"])
    guessed = np.array([one.label for one in found])
    right = guessed == true
    low, high = accuracy_interval(right.sum(), len(right))
    chances = [one.probabilities[label] for one, label in zip(found, true)]
    return {
        "accuracy": float(right.mean()),
        "cross_entropy": -float(np.mean(np.log(np.maximum(chances, 1e-12)))),
        "accuracy_interval": {"low": low, "high": high},
        "per_label": {
            label: _label_metrics(guessed == label, true == label) for label in model.labels
        },
    }


def _label_metrics(guessed: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return the precision and recall of one label, given by bools `(examples,)`."""
    hits = float((guessed & true).sum())
    return {"precision": hits / max(1, guessed.sum()), "recall": hits / max(1, true.sum())}


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
    """Draw which classes were taken for which, and which bases say what a class is."""
    examples = splits[name]
    numbers = {label: number for number, label in enumerate(model.labels)}
    plots.confusion_matrix(
        [numbers[label] for label in examples.targets["labels"]],
        [numbers[one.label] for one in _found(model, examples)],
        model.labels,
        folder / "confusion_matrix.png",
    )
    logo.draw(logo.saliency(model, examples), folder / "logo.png")


def _found(model, examples):
    return model.classify(examples.inputs, batch_size=256)

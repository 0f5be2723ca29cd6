"""Metrics of sentiment classification: accuracy, F1, cross-entropy and calibration error."""

import html
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from keras_seq.batching import RawExamples
from keras_seq.models import SequenceClassifier
from keras_seq.models.results import Prediction
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

NUM_BINS = 10
"""Number of confidence bins of equal width, for the calibration error."""


def evaluate(model: SequenceClassifier, splits: Splits, name: str) -> Metrics:
    """Return accuracy, macro F1, cross-entropy and calibration error.

    Ordered labels have the mean absolute error too: the mean difference of the ranks of the
    predicted and the true label.

    The calibration error is the expected calibration error of Naeini et al. (2015).
    """
    predictions, true = _classify(model, splits[name])
    predicted = np.array([prediction.label for prediction in predictions])
    confidence = np.array([prediction.probability for prediction in predictions])
    is_correct = predicted == true
    f1_scores = []
    for label in np.unique(true):
        num_correct = (is_correct & (true == label)).sum()
        f1_scores.append(2 * num_correct / ((predicted == label).sum() + (true == label).sum()))
    likelihoods = [
        max(prediction.probabilities[label], 1e-12) for prediction, label in zip(predictions, true)
    ]
    errors = _absolute_errors(predicted, splits[name], splits.get("train", splits[name]))
    return {
        "accuracy": float(is_correct.mean()),
        **({} if errors is None else {"mean_absolute_error": float(errors.mean())}),
        "f1": float(np.mean(f1_scores)),
        "cross_entropy": -float(np.mean(np.log(likelihoods))),
        "calibration_error": sum(
            float(in_bin.mean() * abs(is_correct[in_bin].mean() - confidence[in_bin].mean()))
            for in_bin in _nonempty_bins(confidence)
        ),
    }


def _absolute_errors(
    predicted: np.ndarray, examples: RawExamples, train: RawExamples
) -> np.ndarray | None:
    """Return the difference of ranks of each example, or None if labels have no order."""
    if "ranks" not in examples.targets:
        return None
    ranks = dict(zip(train.targets["labels"], train.targets["ranks"]))
    return np.abs(np.array([ranks[label] for label in predicted]) - examples.targets["ranks"])


def _classify(
    model: SequenceClassifier, examples: RawExamples
) -> tuple[list[Prediction], np.ndarray]:
    """Return the predictions and the true labels."""
    # The model takes no empty text, so one without tokens, such as a space, is read as "?".
    tokens = [model.encoder.tokenize(text) or ["?"] for text in examples.inputs]
    return list(model.classify(tokens)), np.array(examples.targets["labels"])


def _nonempty_bins(confidence: np.ndarray) -> list[np.ndarray]:
    """Return a mask `(examples,)` for each bin that has examples."""
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    return [bins == number for number in range(NUM_BINS) if (bins == number).any()]


def report(model: SequenceClassifier, splits: Splits, name: str, folder: Path) -> None:
    """Draw the confusion matrix and the calibration, and write an HTML page of predictions."""
    predictions, true = _classify(model, splits[name])
    predicted = [prediction.label for prediction in predictions]
    ids = {label: number for number, label in enumerate(model.labels)}
    plots.confusion_matrix(
        [ids[label] for label in true],
        [ids[label] for label in predicted],
        model.labels,
        folder / "confusion_matrix.png",
    )
    confidence = np.array([prediction.probability for prediction in predictions])
    is_correct = np.array(predicted) == true
    plots.calibration(
        [
            (confidence[in_bin].mean(), is_correct[in_bin].mean(), in_bin.sum())
            for in_bin in _nonempty_bins(confidence)
        ],
        folder / "calibration.png",
    )
    rows = list(zip(splits[name].inputs, true, predictions))
    wrong = [row for row in rows if row[1] != row[2].label][:50]
    correct = [row for row in rows if row[1] == row[2].label][:50]
    (folder / "predictions.html").write_text(write_page(wrong + correct), "utf-8")


def write_page(rows: Iterable[tuple[str, str, Prediction]]) -> str:
    """Return an HTML page of texts; the color of a word shows its attention weight.

    Args:
        rows: `(text, true label, prediction)` of each text.
    """
    lines = [
        "<!doctype html><meta charset='utf-8'><title>Predictions</title>",
        "<style>body{font:16px/1.9 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "span{border-radius:.25em;padding:.1em .15em}b.off{color:#b71c1c}</style>",
        "<h1>Predictions</h1><p>The darker a word, the larger its attention weight. Wrong "
        "predictions come first.</p>",
    ]
    for text, true, prediction in rows:
        note = f"{html.escape(prediction.label)} {prediction.probability:.2f}"
        if prediction.label != true:
            note += f"; true label: {html.escape(true)}"
        words = html.escape(text)
        if prediction.token_weights is not None:
            max_weight = max(weight for _, weight in prediction.token_weights)
            words = " ".join(
                f'<span style="background:rgba(255,179,0,{weight / max_weight:.2f})">'
                f"{html.escape(token)}</span>"
                for token, weight in prediction.token_weights
            )
        css_class = ' class="off"' if prediction.label != true else ""
        lines.append(f"<p>{words}<br><small><b{css_class}>{note}</b></small></p>")
    return "\n".join(lines)

"""How good it is: labels named right, and how far its probabilities can be believed."""

import html
from pathlib import Path

import numpy as np

from keras_seq.models import SequenceClassifier
from keras_seq.train import plots
from keras_seq.train.recipe import Splits

BINS = 10
"""Of probability, for the calibration."""


def evaluate(model: SequenceClassifier, splits: Splits, name: str) -> dict[str, float]:
    """Return accuracy, macro F1, cross-entropy, and calibration error (Naeini et al. 2015)."""
    found, true = _found(model, splits[name])
    guessed = np.array([one.label for one in found])
    sure = np.array([one.probability for one in found])
    right = guessed == true
    scores = []
    for label in np.unique(true):
        hits = (right & (true == label)).sum()
        scores.append(2 * hits / ((guessed == label).sum() + (true == label).sum()))
    return {
        "accuracy": float(right.mean()),
        "f1": float(np.mean(scores)),
        "cross_entropy": -float(
            np.mean([np.log(max(one.probabilities[of], 1e-12)) for one, of in zip(found, true)])
        ),
        "calibration_error": sum(
            float(inside.mean() * abs(right[inside].mean() - sure[inside].mean()))
            for inside in _bins(sure)
        ),
    }


def _found(model, examples):
    # A text without a token, such as a lonely blank, is read as one that is not known.
    found = model.classify([model.encoder.tokenize(text) or ["?"] for text in examples.inputs])
    return found, np.array(examples.targets["labels"])


def _bins(sure):
    """The examples in each tenth of probability that has any."""
    number = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [number == n for n in range(BINS) if (number == n).any()]


def report(model: SequenceClassifier, splits: Splits, name: str, folder: Path) -> None:
    """Draw which labels were taken for which and how sure is how right; mark what decided."""
    found, true = _found(model, splits[name])
    numbers = {label: number for number, label in enumerate(model.labels)}
    plots.confusion_matrix(
        [numbers[label] for label in true],
        [numbers[one.label] for one in found],
        model.labels,
        folder / "confusion_matrix.png",
    )
    sure = np.array([one.probability for one in found])
    right = np.array([one.label for one in found]) == true
    plots.calibration(
        [(sure[inside].mean(), right[inside].mean(), inside.sum()) for inside in _bins(sure)],
        folder / "calibration.png",
    )
    rows = list(zip(splits[name].inputs, true, found))
    wrong = [row for row in rows if row[1] != row[2].label][:50]
    rights = [row for row in rows if row[1] == row[2].label][:50]
    (folder / "predictions.html").write_text(page(wrong + rights), "utf-8")


def page(rows):
    """HTML of texts, each word as dark as it counted.

    Args:
        rows: (text, its label, `keras_seq.models.results.Prediction`).
    """
    lines = [
        "<!doctype html><meta charset='utf-8'><title>What decided</title>",
        "<style>body{font:16px/1.9 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "span{border-radius:.25em;padding:.1em .15em}b.off{color:#b71c1c}</style>",
        "<h1>What decided</h1><p>The darker a word, the more it counted. First what was "
        "labelled wrong.</p>",
    ]
    for text, true, found in rows:
        note = f"{html.escape(found.label)} {found.probability:.2f}"
        if found.label != true:
            note += f"; it is {html.escape(true)}"
        words = html.escape(text)
        if found.token_weights is not None:
            most = max(weight for _, weight in found.token_weights)
            words = " ".join(
                f'<span style="background:rgba(255,179,0,{weight / most:.2f})">'
                f"{html.escape(token)}</span>"
                for token, weight in found.token_weights
            )
        kind = ' class="off"' if found.label != true else ""
        lines.append(f"<p>{words}<br><small><b{kind}>{note}</b></small></p>")
    return "\n".join(lines)

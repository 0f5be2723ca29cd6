"""Text classifiers on small data: `python -m benchmarks.small_texts`.

Compares the recipe `sentiment` without options with a classical model: logistic regression over
TF-IDF of words, word bigrams and character n-grams (scikit-learn). Both learn from 200 to 5,000
shuffled training sentences of one domain, with an eighth as many for validation, and are compared
on 3,000 other sentences: those for validation, and training sentences that are left. The classical
model chooses its regularization by the validation sentences, and then learns from them too. Writes
`benchmarks/results/small_texts.json` and the learning curves, `docs/experiments/small_texts.png`.
After an interruption, the same command continues; delete the JSON file to measure again.
`--same-data` prints the results of the classical model without the validation sentences instead.
"""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from benchmarks import learning_curves, page
from keras_seq.batching import RawExamples
from keras_seq.train import registry
from keras_seq.train.recipe import Splits

SIZES = (200, 500, 1_000, 2_000, 5_000)
INVERSE_REGULARIZATION = (1.0, 4.0, 16.0, 64.0)
"""Values of `C` that the classical model chooses from."""

NUM_TEST = 3_000
"""Number of sentences that the models are compared on."""
RESULTS = page.RESULTS / "small_texts.json"

RECIPE = registry.find("sentiment").import_recipe()


def main() -> None:
    """Train, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", nargs="+", default=["movies"])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seeds", type=int, default=3, help="Number of subsets of each size.")
    parser.add_argument("--same-data", action="store_true")
    arguments = parser.parse_args()
    if arguments.same_data:
        print_classical(arguments)
        return
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    measured = {(row["data"], row["subset"], row["sentences"]) for row in rows}
    for domain in arguments.domains:
        splits = load(domain)
        for seed in range(arguments.seeds):
            for size in arguments.sizes:
                is_possible = size + max(20, size // 8) <= len(splits["train"])
                if is_possible and (domain, seed, size) not in measured:
                    subset = learning_curves.subset(splits, "labels", size, seed, NUM_TEST, True)
                    row = compare(subset)
                    rows.append({"data": domain, "subset": seed, "sentences": size, **row})
                    print(rows[-1], flush=True)
                    page.write("small_texts", rows)
    curves = {
        "accuracy": "recipe sentiment",
        "classical_accuracy": "TF-IDF, logistic regression",
    }
    movies = [row for row in rows if row["data"] == arguments.domains[0]]
    picture = learning_curves.PICTURES / "small_texts.png"
    learning_curves.draw(movies, "sentences", curves, "accuracy", picture)


def print_classical(arguments: argparse.Namespace) -> None:
    """Print the means of the classical model that learns from the training sentences only."""
    for domain in arguments.domains:
        splits = load(domain)
        for size in arguments.sizes:
            subsets = (
                learning_curves.subset(splits, "labels", size, seed, NUM_TEST, True)
                for seed in range(arguments.seeds)
            )
            accuracy, cross_entropy = np.mean(
                [train_classical(subset, ("train",)) for subset in subsets], axis=0
            )
            print(
                f"{domain}, {size} sentences: accuracy {accuracy:.4f}, "
                f"cross-entropy {cross_entropy:.4f}",
                flush=True,
            )


def load(domain: str) -> Splits:
    """Return the sentences of a domain, without those of other domains."""
    splits = dict(RECIPE.load(RECIPE.preset("default").override(domain=domain)))
    train = splits["train"]
    in_domain = np.flatnonzero(train.targets["weights"] == 1)
    labels = train.targets["labels"]
    splits["train"] = RawExamples(
        [train.inputs[index] for index in in_domain],
        {"labels": [labels[index] for index in in_domain]},
    )
    return splits


def compare(splits: Splits) -> dict[str, Any]:
    """Return accuracy and cross-entropy of both models, and the seconds that they take to train."""
    metrics = learning_curves.train_without_options(RECIPE, splits, "labels", ("text", "label"))
    start = time.perf_counter()
    accuracy, cross_entropy = train_classical(splits)
    return {
        "accuracy": metrics["test"]["accuracy"],
        "classical_accuracy": accuracy,
        "cross_entropy": metrics["test"]["cross_entropy"],
        "classical_cross_entropy": cross_entropy,
        "seconds": metrics["seconds"],
        "classical_seconds": round(time.perf_counter() - start, 1),
        "epochs": metrics["epochs"],
        "kept_epoch": metrics["kept_epoch"],
    }


def train_classical(
    splits: Splits, final_splits: Sequence[str] = ("train", "validation")
) -> tuple[float, float]:
    """Return the test accuracy and cross-entropy of the classical model.

    Args:
        splits: Sentences.
        final_splits: Splits that it learns from, after the regularization is chosen.
    """

    def fit(c: float, *names: str) -> Pipeline:
        model = make_pipeline(
            make_union(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
                TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
            ),
            LogisticRegression(C=c, max_iter=1_000),
        )
        texts = [text for name in names for text in splits[name].inputs]
        return model.fit(texts, [label for name in names for label in _labels(splits, name)])

    def loss(model: Pipeline, name: str) -> float:
        predicted = model.predict_proba(splits[name].inputs)
        return float(log_loss(_labels(splits, name), predicted, labels=model.classes_))

    best = min(INVERSE_REGULARIZATION, key=lambda c: loss(fit(c, "train"), "validation"))
    model = fit(best, *final_splits)
    is_correct = model.predict(splits["test"].inputs) == np.array(_labels(splits, "test"))
    return float(is_correct.mean()), loss(model, "test")


def _labels(splits: Splits, name: str) -> list[str]:
    return list(splits[name].targets["labels"])


if __name__ == "__main__":
    main()

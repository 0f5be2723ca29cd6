"""Ten-fold cross-validation of the recipe `dna`: `python -m benchmarks.dna_folds`.

The default preset is trained on nine tenths of the splice junctions and tested on the other tenth.
Equal sequences are in the same fold. For comparison, a support vector machine on single bases and
pairs of adjacent bases uses the same folds. Reports the mean accuracy with its standard deviation
over the folds, and the accuracy over all sequences with its 95% interval, in total and per class.
Writes `benchmarks/results/dna_folds.json`.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras_seq_recipes.dna.bases import base_probabilities
from keras_seq_recipes.dna.metric import accuracy_interval
from sklearn.svm import SVC

from benchmarks import page
from keras_seq.train import loop, registry, runs

FOLDS = range(10)

Labels = Sequence[str]


def main() -> None:
    """Train, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    dna = registry.find("dna").import_recipe()
    models = {"the default": _predict_rnn, "support vector machine": _predict_svm}
    rows = []
    for name, predict in models.items():
        folds: list[tuple[np.ndarray, np.ndarray]] = []
        for fold in FOLDS:
            preset: Any = dna.preset("default")
            true, predicted = predict(dna, dataclasses.replace(preset, fold=fold, seed=seed))
            folds.append((np.array(true), np.array(predicted)))
            print(f"{name}, fold {fold}: {_accuracy(*folds[-1]):.4f} of {len(true)}", flush=True)
        rows.append({"model": name, **_summary(folds)})
        print(rows[-1], flush=True)
        page.write("dna_folds", rows)


def _summary(folds: list[tuple[np.ndarray, np.ndarray]]) -> page.Row:
    """Return the metrics of the true and the predicted labels of each fold."""
    accuracies = np.array([_accuracy(*labels) for labels in folds])
    true, predicted = map(np.concatenate, zip(*folds))
    right = true == predicted
    return {
        "accuracies": accuracies.tolist(),
        "num_sequences": [len(labels) for labels, _ in folds],
        "mean_accuracy": float(accuracies.mean()),
        "standard_deviation": float(accuracies.std(ddof=1)),
        "pooled_accuracy": float(right.mean()),
        "accuracy_interval": accuracy_interval(right.sum(), len(right)),
        "per_class": {
            label: {
                "precision": float(right[predicted == label].mean()),
                "recall": float(right[true == label].mean()),
                "recall_interval": accuracy_interval(
                    right[true == label].sum(), (true == label).sum()
                ),
            }
            for label in np.unique(true).tolist()
        },
    }


def _accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    return float((true == predicted).mean())


def _predict_rnn(dna: Any, config: Any) -> tuple[Labels, Labels]:
    with tempfile.TemporaryDirectory() as folder:
        run = runs.Run(Path(folder) / "run")
        model, run_callback = loop.fit(dna, "default", config, run)
    test = run_callback.splits["test"]
    predictions = model.classify(test.inputs, batch_size=256)
    return test.targets["labels"], [prediction.label for prediction in predictions]


def _predict_svm(dna: Any, config: Any) -> tuple[Labels, Labels]:
    splits = dna.load(config)
    train, test = splits["train"], splits["test"]
    machine = SVC(C=10).fit(_features(train.inputs), train.targets["labels"])
    return test.targets["labels"], machine.predict(_features(test.inputs))


def _features(sequences: Sequence[str]) -> np.ndarray:
    """Return the probabilities of each base and of each pair of adjacent bases, by position."""
    table = base_probabilities()
    bases = np.array([[table[letter.lower()] for letter in sequence] for sequence in sequences])
    pairs = bases[:, :-1, :, None] * bases[:, 1:, None, :]
    return np.concatenate([x.reshape(len(bases), -1) for x in (bases, pairs)], axis=1)


if __name__ == "__main__":
    main()

"""Ten-fold cross-validation of the recipe `dna`: `python -m benchmarks.dna_folds`.

Each tenth of the splice junctions is tested on by the default, trained on the other nine; equal
sequences are in the same tenth. For comparison, on the same folds, a support vector machine over
the bases and the pairs of neighbours. Accuracy: mean and standard deviation over the folds, and of
all sequences with its 95% interval, and class by class. Writes `benchmarks/results/dna_folds.json`.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from keras_seq_recipes.dna.bases import base_probabilities
from keras_seq_recipes.dna.metric import accuracy_interval
from sklearn.svm import SVC

from benchmarks import page
from keras_seq.train import loop, registry, runs
from keras_seq.train.progress import Progress

FOLDS = range(10)


def main():
    """Trains, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    dna = registry.find("dna").import_recipe()
    models = {"the default": _trained, "support vector machine": _svm}
    rows = []
    for name, model in models.items():
        found = []
        for fold in FOLDS:
            true, guessed = model(
                dna, dataclasses.replace(dna.preset("default"), fold=fold, seed=seed)
            )
            found.append((np.array(true), np.array(guessed)))
            print(f"{name}, fold {fold}: {_share(*found[-1]):.4f} of {len(true)}", flush=True)
        rows.append({"model": name, **_summary(found)})
        print(rows[-1], flush=True)
        page.write("dna_folds", rows)


def _summary(found):
    """Of the true and the guessed labels of each fold."""
    shares = np.array([_share(*of) for of in found])
    true, guessed = map(np.concatenate, zip(*found))
    right = true == guessed
    return {
        "accuracies": shares.tolist(),
        "sequences": [len(of) for of, _ in found],
        "mean": float(shares.mean()),
        "standard deviation": float(shares.std(ddof=1)),
        "of all": float(right.mean()),
        "interval": accuracy_interval(right.sum(), len(right)),
        "by class": {
            label: {
                "precision": float(right[guessed == label].mean()),
                "recall": float(right[true == label].mean()),
                "interval of recall": accuracy_interval(
                    right[true == label].sum(), (true == label).sum()
                ),
            }
            for label in np.unique(true).tolist()
        },
    }


def _share(true, guessed):
    return float((true == guessed).mean())


def _trained(dna, config):
    with tempfile.TemporaryDirectory() as folder:
        run = runs.Run(Path(folder) / "run")
        model, run_callback = loop.fit(dna, "default", config, run, Progress)
    test = run_callback.splits["test"]
    found = model.classify(test.inputs, batch_size=256)
    return test.targets["labels"], [one.label for one in found]


def _svm(dna, config):
    splits = dna.load(config)
    train, test = splits["train"], splits["test"]
    machine = SVC(C=10).fit(_features(train.inputs), train.targets["labels"])
    return test.targets["labels"], machine.predict(_features(test.inputs))


def _features(sequences):
    """How likely each base is at each place, and each pair of bases at each two neighbours."""
    table = base_probabilities()
    bases = np.array([[table[letter.lower()] for letter in sequence] for sequence in sequences])
    pairs = bases[:, :-1, :, None] * bases[:, 1:, None, :]
    return np.concatenate([x.reshape(len(bases), -1) for x in (bases, pairs)], axis=1)


if __name__ == "__main__":
    main()

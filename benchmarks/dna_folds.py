"""Ten-fold cross-validation of the recipe `dna`: `python -m benchmarks.dna_folds`.

Each tenth of the splice junctions is tested on by the default, trained on the other nine; equal
sequences are in the same tenth. For comparison, on the same folds, a support vector machine over
the bases and the pairs of neighbours. Accuracy: mean and standard deviation over the folds, and of
all sequences with its 95% interval. Writes `benchmarks/results/dna_folds.json`.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from keras_seq_recipes.dna.bases import vectors
from keras_seq_recipes.dna.metric import interval
from sklearn.svm import SVC

from benchmarks import page
from keras_seq import recipe, runs, training
from keras_seq.progress import Progress

FOLDS = range(10)


def main():
    """Trains, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    dna = recipe.find("dna")
    models = {"the default": _trained, "support vector machine": _svm}
    rows = []
    for name, model in models.items():
        counts, shares = [], []
        for fold in FOLDS:
            config = dataclasses.replace(dna.preset("default"), fold=fold, seed=seed)
            share, count = model(dna, config)
            shares.append(share)
            counts.append(count)
            print(f"{name}, fold {fold}: {share:.4f} of {count}", flush=True)
        rows.append(_row(name, np.array(shares), np.array(counts)))
        print(rows[-1], flush=True)
        page.write("dna_folds", rows)


def _row(name, shares, counts):
    hits, count = float(shares @ counts), int(counts.sum())
    return {
        "model": name,
        "accuracies": shares.tolist(),
        "sequences": counts.tolist(),
        "mean": float(shares.mean()),
        "standard deviation": float(shares.std(ddof=1)),
        "of all": hits / count,
        "interval": interval(hits, count),
    }


def _trained(dna, config):
    with tempfile.TemporaryDirectory() as folder:
        run = runs.Run(Path(folder) / "run")
        model, keeper = training.fit(dna, "dna", "default", config, run, Progress)
    test = keeper.splits["test"]
    return dna.evaluate(model, keeper.splits, "test")["accuracy"], len(test.inputs)


def _svm(dna, config):
    splits = dna.load(config)
    train, test = splits["train"], splits["test"]
    machine = SVC(C=10).fit(_features(train.inputs), train.targets["labels"])
    right = machine.predict(_features(test.inputs)) == np.array(test.targets["labels"])
    return float(right.mean()), len(right)


def _features(sequences):
    """How likely each base is at each place, and each pair of bases at each two neighbours."""
    table = vectors()
    bases = np.array([[table[letter.lower()] for letter in sequence] for sequence in sequences])
    pairs = bases[:, :-1, :, None] * bases[:, 1:, None, :]
    return np.concatenate([x.reshape(len(bases), -1) for x in (bases, pairs)], axis=1)


if __name__ == "__main__":
    main()

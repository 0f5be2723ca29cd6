"""What each part of the recipe `sentiment` adds: `python -m benchmarks.sentiment_parts`.

Trains the default once a part and seed, beginning with a plain bidirectional LSTM that knows the
films alone, and adding one part at a time; as many epochs each. Accuracy on the validation split of
the films, in points of a hundred. Writes `benchmarks/results/sentiment_parts.json`.
"""

import argparse
import dataclasses
import math
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import page
from keras_seq import recipe, runs, training

EPOCHS = 7
PLAIN = {
    "steepness": 0.0,
    "bigram_embedding": 0,
    "pooled": False,
    "language_model": 0.0,
    "naive_bayes": False,
}
LANGUAGE_MODEL = {"data": "reviews", "tokens": "words", "ngrams": 0, "recall": 0}


def main():
    """Trains, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    default = recipe.find("sentiment").preset("default")
    with tempfile.TemporaryDirectory() as folder:
        learnt = Path(folder) / "language_model"
        taught = dataclasses.replace(
            recipe.find("language_model").preset("default"),
            **LANGUAGE_MODEL,
            units=default.units,
            embedding=default.embedding,
            batch_size=64,
            updates=2_000,
        )
        _trained("language_model", taught, learnt)
        variants = {"plain": PLAIN}
        for part in PLAIN:
            without = dict(list(variants.values())[-1])
            without.pop(part)
            variants[part.replace("_", " ")] = without
        before = variants["pooled"]
        variants["pooled, from a language model"] = before | {"init_from": str(learnt)}
        rows = []
        for name, changed in variants.items():
            found = []
            for seed in range(given.seeds):
                config = dataclasses.replace(default, **changed, seed=seed)
                updates = EPOCHS * _updates_an_epoch(config)
                config = dataclasses.replace(config, updates=updates)
                measured = _trained("sentiment", config, Path(folder) / f"{name} {seed}")
                found.append(100 * measured["accuracy"])
                print(name, seed, measured, flush=True)
            rows.append({"part": name, "accuracies": found, "mean": float(np.mean(found))})
    page.write("sentiment_parts", rows)


def _updates_an_epoch(config):
    examples = recipe.find("sentiment").load(config)["train"]
    return math.ceil(len(examples.inputs) / config.batch_size)


def _trained(name, config, folder):
    metrics = training.train(
        recipe.find(name), name, "default", config, runs.Run(folder), "", test=False
    )
    return metrics["validation"]


if __name__ == "__main__":
    main()

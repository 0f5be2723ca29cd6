"""What each part of the recipe `sentiment` adds: `python -m benchmarks.sentiment_parts`.

Trains the default, the default without one of its parts, for as many updates, a plain bidirectional
LSTM that has none of them, and the default from a language model that was trained before. Reports
the validation split of the films. Writes
`benchmarks/results/sentiment_parts.json`.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import page
from keras_seq.train import loop, registry, runs

WITHOUT = {
    "naive Bayes": {"naive_bayes": False},
    "the other domains": {"pooled": False},
}
PLAIN = {"steepness": 0.0, "bigram_embedding": 0} | WITHOUT["naive Bayes"]
PLAIN |= WITHOUT["the other domains"]
SEEDS = (0, 1, 2)
LANGUAGE_MODEL = {"data": "reviews", "tokens": "words", "ngrams": 0, "recall": 0, "kneser_ney": 0}


def main():
    """Trains, prints, writes."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    sentiment = registry.find("sentiment")
    default = sentiment.preset("default")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        learnt = Path(folder) / "language_model"
        taught = dataclasses.replace(
            registry.find("language_model").preset("default"),
            **LANGUAGE_MODEL,
            units=default.units,
            embedding=default.embedding,
            batch_size=64,
            updates=1_200,
        )
        _trained("language_model", taught, learnt)
        variants = {"the default": {}, "none of them: a plain LSTM": PLAIN}
        variants |= {f"without {name}": changed for name, changed in WITHOUT.items()}
        variants["from a language model"] = {"init_from": str(learnt)}
        for name, changed in variants.items():
            found = []
            for seed in SEEDS:
                config = dataclasses.replace(default, **changed, seed=seed)
                found.append(_trained("sentiment", config, Path(folder) / f"{name} {seed}"))
            rows.append(_row(name, found))
            print(rows[-1], flush=True)
            page.write("sentiment_parts", rows)


def _row(name, measures):
    means = {f"mean_{key}": float(np.mean([m[key] for m in measures])) for key in measures[0]}
    return {"part": name, "accuracies": [m["accuracy"] for m in measures], **means}


def _trained(name, config, folder):
    metrics = loop.train(
        registry.find(name).import_recipe(), "default", config, runs.Run(folder), "", test=False
    )
    return metrics["validation"]


if __name__ == "__main__":
    main()

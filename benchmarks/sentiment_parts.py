"""What each part of the recipe `sentiment` adds: `python -m benchmarks.sentiment_parts`.

Trains the default, the default without one of its parts, for as many updates, a plain bidirectional
LSTM that has none of them, and the default from a language model that was trained before. Reports
the validation split of the films. Writes
`benchmarks/results/sentiment_parts.json`.
"""

import argparse
import contextlib
import dataclasses
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from keras_seq_recipes.sentiment import data, model

from benchmarks import page
from keras_seq.train import loop, registry, runs

WITHOUT = {
    "naive Bayes": {(model, "USE_NAIVE_BAYES"): False},
    "the other domains": {(data, "POOL_DOMAINS"): False},
}
"""Constants of the recipe's modules, and their values."""
PLAIN = {(data, "LABEL_SHARPNESS"): 0.0, (model, "BIGRAM_DIM"): 0}
PLAIN |= WITHOUT["naive Bayes"] | WITHOUT["the other domains"]
SEEDS = (0, 1, 2)


def main():
    """Trains, prints, writes."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    sentiment = registry.find("sentiment")
    default = sentiment.preset("default")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        learnt = Path(folder) / "language_model"
        taught = dataclasses.replace(registry.find("language_model").preset("reviews"), steps=1_200)
        _trained("language_model", taught, learnt)
        variants = {"the default": {}, "none of them: a plain LSTM": PLAIN}
        variants |= {f"without {name}": changed for name, changed in WITHOUT.items()}
        variants["from a language model"] = {}
        for name, constants in variants.items():
            init_from = str(learnt) if name == "from a language model" else None
            found = []
            for seed in SEEDS:
                config = dataclasses.replace(default, init_from=init_from, seed=seed)
                with contextlib.ExitStack() as patches:
                    for (module, constant), value in constants.items():
                        patches.enter_context(mock.patch.object(module, constant, value))
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

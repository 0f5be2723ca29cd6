"""Ablation of the recipe `sentiment`: `python -m benchmarks.sentiment_ablation`.

Trains the default preset, variants without one component for as many steps, a plain bidirectional
LSTM without all of them, and the default initialized from a language model. Reports metrics on the
validation split of the film reviews. Writes `benchmarks/results/sentiment_ablation.json`.
"""

import argparse
import contextlib
import dataclasses
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
from keras_seq_recipes.sentiment import data, model

from benchmarks import page
from keras_seq.train import loop, registry, runs

WITHOUT: dict[str, dict[tuple[ModuleType, str], Any]] = {
    "naive Bayes": {(model, "USE_NAIVE_BAYES"): False},
    "the other domains": {(data, "POOL_DOMAINS"): False},
}
"""Constants of the recipe's modules, and their values."""
PLAIN: dict[tuple[ModuleType, str], Any] = {
    (data, "LABEL_SHARPNESS"): 0.0,
    (model, "BIGRAM_DIM"): 0,
}
PLAIN |= WITHOUT["naive Bayes"] | WITHOUT["the other domains"]
SEEDS = (0, 1, 2)


def main() -> None:
    """Train, print and write the results."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    sentiment = registry.find("sentiment")
    default: Any = sentiment.preset("default")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pretrained = Path(folder) / "language_model"
        config = dataclasses.replace(registry.find("language_model").preset("reviews"), steps=1_200)
        _train("language_model", config, pretrained)
        variants: dict[str, dict[tuple[ModuleType, str], Any]] = {
            "the default": {},
            "none of them: a plain LSTM": PLAIN,
        }
        variants |= {f"without {name}": changed for name, changed in WITHOUT.items()}
        variants["from a language model"] = {}
        for name, constants in variants.items():
            init_from = str(pretrained) if name == "from a language model" else None
            metrics = []
            for seed in SEEDS:
                config = dataclasses.replace(default, init_from=init_from, seed=seed)
                with contextlib.ExitStack() as patches:
                    for (module, constant), value in constants.items():
                        patches.enter_context(mock.patch.object(module, constant, value))
                    metrics.append(_train("sentiment", config, Path(folder) / f"{name} {seed}"))
            rows.append(_row(name, metrics))
            print(rows[-1], flush=True)
            page.write("sentiment_ablation", rows)


def _row(name: str, metrics: list[dict[str, float]]) -> page.Row:
    means = {f"mean_{key}": float(np.mean([m[key] for m in metrics])) for key in metrics[0]}
    return {"variant": name, "accuracies": [m["accuracy"] for m in metrics], **means}


def _train(name: str, config: Any, folder: Path) -> dict[str, float]:
    metrics = loop.train(
        registry.find(name).import_recipe(), "default", config, runs.Run(folder), "", test=False
    )
    assert metrics is not None
    return metrics["validation"]


if __name__ == "__main__":
    main()

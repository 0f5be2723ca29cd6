"""Training on two devices against one: `python -m benchmarks.devices [RECIPE ...]`.

Trains a small model of each recipe on 40 random examples, with batch size 16, for 12 steps without
dropout: on one CPU, and on two logical CPUs as with `--distribute mirrored`. Prints the largest
change of a weight in training, and the largest differences between both trainings in the weights
and in the rows of `history.csv`.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras  # noqa: E402

from keras_seq.batching import RawExamples  # noqa: E402
from keras_seq.train import distribution, loop, registry, runs  # noqa: E402

SMALL: dict[str, Any] = {"units": 6, "dropout": 0.0, "batch_size": 16, "steps": 12}
RECIPE_FIELDS: dict[str, dict[str, Any]] = {
    "mnist_rows": {"augment": False},
    "sentiment": {"word_dropout": 0.0},
    "ner": {"bigram_dropout": 0.0},
    "language_model": {"ngram_dropout": 0.0},
    "music": {"ngram_dropout": 0.0},
    "translation": {"vocab_size": 60},
    "spelling": {},
    "speech": {"max_warp": 0.0},
    "video": {"conv_filters": 2},
}
"""Fields of the configs in addition to those of `SMALL`."""


def make_examples(name: str, count: int, random: np.random.Generator) -> RawExamples:
    """Return random examples of various lengths for a recipe."""
    words = ["".join(random.choice(list("abcde"), 1 + n % 5)) for n in range(30)]
    rows = [list(random.choice(words, n)) for n in random.integers(2, 30, count)]
    texts = [" ".join(row) for row in rows]
    labels = [("good", "bad")[len(row) % 2] for row in rows]
    noise = [random.integers(-9999, 9999, 1600 * len(row)).astype("int16") for row in rows]
    clips = [random.integers(0, 256, (len(row), 32, 32)).astype("uint8") for row in rows]
    ones = np.ones(count)
    tags = [["S-PER" if word == words[0] else "O" for word in row] for row in rows]

    def images() -> Any:
        return random.integers(0, 256, (count, 28, 28)).astype("uint8")

    return {
        "mnist_rows": lambda: RawExamples(images(), np.arange(count) % 10),
        "sentiment": lambda: RawExamples(
            texts, {"labels": labels, "confidence": ones, "weights": ones}
        ),
        "ner": lambda: RawExamples(rows, {"tags": tags, "word_tags": None}),
        "language_model": lambda: RawExamples(texts),
        "music": lambda: RawExamples([[f"{len(word)}:1" for word in row] for row in rows], labels),
        "translation": lambda: RawExamples(texts, [text[::-1] for text in texts]),
        "spelling": lambda: RawExamples(["".join(row) for row in rows], [[text] for text in texts]),
        "speech": lambda: RawExamples(noise, [text[: len(text) // 9] for text in texts]),
        "video": lambda: RawExamples(clips, labels),
    }[name]()


def train(
    name: str, devices: Any, folder: Path
) -> tuple[list[np.ndarray], list[np.ndarray], Sequence[dict[str, float]]]:
    """Return the weights before and after training, and the rows of the history."""
    recipe = registry.find(name).import_recipe()
    random = np.random.default_rng(0)
    splits = {
        split: make_examples(name, n, random) for split, n in (("train", 40), ("validation", 9))
    }
    fixed: Any = FixedExamples(recipe, splits)
    config = dataclasses.replace(recipe.preset("default"), **SMALL, **RECIPE_FIELDS[name])
    before: list[np.ndarray] = []

    class RecordWeights(keras.callbacks.Callback):
        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            before.extend(self.model.get_weights())

    model, run_callback = loop.fit(
        fixed, "default", config, runs.Run(folder), lambda _: RecordWeights(), devices=devices
    )
    return before, model.get_weights(), run_callback.history


class FixedExamples:
    """Recipe with the examples given.

    Args:
        recipe: Recipe for everything else.
        splits: Examples by split.
    """

    def __init__(self, recipe: Any, splits: dict[str, RawExamples]) -> None:
        self.recipe, self.splits = recipe, splits

    def __getattr__(self, name: str) -> Any:
        return getattr(self.recipe, name)

    def load(self, _config: Any) -> dict[str, RawExamples]:
        """Return the examples."""
        return dict(self.splits)


def main() -> None:
    """Print a row for each recipe."""
    devices = distribution.make_devices("mirrored")
    print("| recipe | weights moved | weights apart | history apart |\n| --- | --- | --- | --- |")
    for name in sys.argv[1:] or RECIPE_FIELDS:
        with tempfile.TemporaryDirectory() as folder:
            before, weights, rows = train(name, None, Path(folder) / "one")
            _, other_weights, other_rows = train(name, devices, Path(folder) / "two")
        history_apart = max(
            abs(row[key] - other[key]) / max(abs(row[key]), 1e-9)
            for row, other in zip(rows, other_rows, strict=True)
            for key in row
            if key != "seconds"
        )
        moved, apart = (
            max(abs(a - b).max() for a, b in zip(weights, others))
            for others in (before, other_weights)
        )
        print(f"| {name} | {moved:.0e} | {apart:.0e} | {history_apart:.0e} |", flush=True)


if __name__ == "__main__":
    main()

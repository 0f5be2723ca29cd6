"""Whether two devices train as one does: `python -m benchmarks.devices [RECIPE ...]`.

Trains a small model of each recipe by the recipe's own code on 40 random examples, in batches of
16, for 12 updates without dropout: on one CPU, and on two logical CPUs as `--distribute mirrored`
does. Prints how far the weights moved, and by how much the weights and the rows of `history.csv`
are apart in the end.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras  # noqa: E402

from keras_seq.batching import RawExamples  # noqa: E402
from keras_seq.train import distribution, loop, registry, runs  # noqa: E402

SMALL = {"units": 6, "dropout": 0.0, "batch_size": 16, "steps": 12}
OTHERS = {
    "mnist_rows": {"augment": False},
    "sentiment": {"word_dropout": 0.0},
    "ner": {"bigram_dropout": 0.0},
    "language_model": {"ngram_dropout": 0.0},
    "music": {"ngram_dropout": 0.0},
    "translation": {"subwords": 60},
    "spelling": {},
    "speech": {"warp": 0.0, "masks": 0},
    "video": {"channels": 2},
}
"""Fields of the configs beside those of `SMALL`."""


def examples(name, count, random):
    """Random ones, as the recipe's `load` returns them; of many lengths."""
    words = ["".join(random.choice(list("abcde"), 1 + n % 5)) for n in range(30)]
    rows = [list(random.choice(words, n)) for n in random.integers(2, 30, count)]
    texts = [" ".join(row) for row in rows]
    labels = [("good", "bad")[len(row) % 2] for row in rows]
    noise = [random.integers(-9999, 9999, 1600 * len(row)).astype("int16") for row in rows]
    clips = [random.integers(0, 256, (len(row), 32, 32)).astype("uint8") for row in rows]
    ones = np.ones(count)
    tags = [["S-PER" if word == words[0] else "O" for word in row] for row in rows]
    return {
        "mnist_rows": lambda: RawExamples(
            random.integers(0, 256, (count, 28, 28)).astype("uint8"), np.arange(count) % 10
        ),
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


def train(name, devices, folder):
    """The weights before, those after, and the rows of the history."""
    found = registry.find(name).import_recipe()
    random = np.random.default_rng(0)
    splits = {split: examples(name, n, random) for split, n in (("train", 40), ("validation", 9))}
    fixed = Fixed(found, splits)
    config = dataclasses.replace(found.preset("default"), **SMALL, **OTHERS[name])
    before = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            before.extend(self.model.get_weights())

    model, run_callback = loop.fit(
        fixed, "default", config, runs.Run(folder), lambda run_callback: Watch(), devices=devices
    )
    return before, model.get_weights(), run_callback.history


class Fixed:
    """A recipe with examples of ours."""

    def __init__(self, found, splits):
        self.found, self.splits = found, splits

    def __getattr__(self, name):
        return getattr(self.found, name)

    def load(self, config):
        return dict(self.splits)


def main():
    """Prints a row for each recipe."""
    devices = distribution.make_devices("mirrored")
    print("| recipe | weights moved | weights apart | history apart |\n| --- | --- | --- | --- |")
    for name in sys.argv[1:] or OTHERS:
        with tempfile.TemporaryDirectory() as folder:
            before, one, rows = train(name, None, Path(folder) / "one")
            _, two, others = train(name, devices, Path(folder) / "two")
        apart = max(
            abs(row[key] - other[key]) / max(abs(row[key]), 1e-9)
            for row, other in zip(rows, others, strict=True)
            for key in row
            if key != "seconds"
        )
        moved, weights = (max(abs(a - b).max() for a, b in zip(one, w)) for w in (before, two))
        print(f"| {name} | {moved:.0e} | {weights:.0e} | {apart:.0e} |", flush=True)


if __name__ == "__main__":
    main()

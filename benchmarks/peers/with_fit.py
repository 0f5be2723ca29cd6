"""One epoch of `model.fit` with our layers or Keras's, and Keras's default settings.

A task is a dict: `model` (a key of `MODELS`) and `how` ("ours" or "keras").
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_seq import layers
from recipes.mnist_rows import config, data, model

Task = dict[str, Any]


def build(task: Task) -> Callable[[], object]:
    """Return a function that trains for one epoch."""
    library = layers if task["how"] == "ours" else keras.layers
    network, x, y, batch_size = MODELS[task["model"]](library)
    return lambda: network.fit(x, y, batch_size=batch_size, verbose=0)


def _stacked(make: Callable[[Any], list[keras.Layer]]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a builder of a model with these layers, with data `(640, 200, 128)`."""

    def build_stacked(library: Any) -> tuple[Any, ...]:
        network = keras.Sequential([keras.Input((200, 128)), *make(library)])
        network.add(keras.layers.Dense(1))
        network.compile("adam", "mse")
        rng = np.random.default_rng(0)
        return network, rng.standard_normal((640, 200, 128), "float32"), rng.random(640), 64

    return build_stacked


def _mnist_rows(library: Any) -> tuple[Any, ...]:
    """Return the model and data of the recipe's default preset."""
    preset = dataclasses.replace(config.PRESETS["default"], data="builtin")
    model.layers = library
    train = data.load(preset)["train"]
    return model.build(preset, train), train.inputs, train.targets, preset.batch_size


MODELS = {
    "LSTM": _stacked(lambda library: [library.LSTM(128)]),
    "two LSTM": _stacked(lambda lib: [lib.LSTM(128, return_sequences=True), lib.LSTM(128)]),
    "Bidirectional LSTM": _stacked(lambda library: [keras.layers.Bidirectional(library.LSTM(128))]),
    "mnist_rows": _mnist_rows,
}

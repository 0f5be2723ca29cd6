"""One epoch of `model.fit`, with our layers or with Keras's, all else at Keras's defaults.

A task is a dict: `model` (a key of `MODELS`) and `how` ("ours" or "keras").
"""

import dataclasses

import keras
import numpy as np

from keras_seq import layers
from recipes.mnist_rows import config, data, model


def build(task):
    """The function that trains for one epoch."""
    library = layers if task["how"] == "ours" else keras.layers
    network, x, y, batch_size = MODELS[task["model"]](library)
    return lambda: network.fit(x, y, batch_size=batch_size, verbose=0)


def _stacked(make):
    """Sequences (64, 200, 128) and recurrent layers, compiled and fitted by default."""

    def stacked(library):
        network = keras.Sequential([keras.Input((200, 128)), *make(library)])
        network.add(keras.layers.Dense(1))
        network.compile("adam", "mse")
        rng = np.random.default_rng(0)
        return network, rng.standard_normal((640, 200, 128), "float32"), rng.random(640), 64

    return stacked


def _mnist_rows(library):
    """The recipe with its default preset and its built-in digits."""
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

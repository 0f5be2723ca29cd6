"""A call of `model.fit` with our layers or Keras's, and Keras's default settings.

A task is a dict: `model` (a key of `MODELS`), `how` ("ours" or "keras", or one of our variants:
"ours, one feeding thread" and "ours, steps per execution") and `epochs`.
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
    """Return a function that trains for some epochs."""
    how = task["how"]
    library = keras.layers if how == "keras" else layers
    network, x, y, batch_size = MODELS[task["model"]](library)
    options = {"epochs": task["epochs"], "verbose": 0}
    if how == "ours, one feeding thread":
        data = _feed_by_one_thread(x, y, batch_size)
        return lambda: network.fit(data, **options)
    if how == "ours, steps per execution":
        network.steps_per_execution = -(-len(x) // batch_size)
    return lambda: network.fit(x, y, batch_size=batch_size, **options)


def _feed_by_one_thread(x: Any, y: Any, batch_size: int) -> Any:
    """Return shuffled batches of arrays, which one thread gathers, the next batch in advance."""
    import tensorflow as tf

    x, y, count = tf.constant(x), tf.constant(y), len(x)
    ids = tf.data.Dataset.range(1).flat_map(
        lambda _: tf.data.Dataset.from_tensor_slices(tf.random.shuffle(tf.range(count)))
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    batches = ids.batch(batch_size).map(lambda i: (tf.gather(x, i), tf.gather(y, i)))
    return batches.prefetch(1).with_options(options)


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

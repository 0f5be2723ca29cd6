"""Train step of a tagger that ends with a CRF or with a softmax.

A task is a dict: `head` ("crf" or "softmax") and `shape` (batch, timesteps, units, tags).
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_seq import layers

Task = dict[str, Any]


def build(task: Task) -> Callable[[], float]:
    """Return a function that runs one training step, accuracy metric included."""
    batch, timesteps, units, tags = task["shape"]
    keras.utils.set_random_seed(0)
    recurrent = layers.LSTM(units, return_sequences=True)
    head: Any
    loss: Any
    metrics: list[Any]
    if task["head"] == "crf":
        head = layers.CRF(tags)
        loss, metrics = head.loss, [head.accuracy]
    else:
        head = keras.layers.Dense(tags)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics = ["accuracy"]
    model = keras.Sequential([keras.Input((timesteps, units)), recurrent, head])
    model.compile("adam", loss, metrics=metrics)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, timesteps, units), "float32")
    y = rng.integers(0, tags, (batch, timesteps))
    batches = iter(tf.data.Dataset.from_tensors((x, y)).repeat())
    model.make_train_function()
    return lambda: float(model.train_function(batches)["loss"])

"""keras-seq, Keras's own layers (without and with XLA) and `keras.layers.RNN(cell)`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_seq import cells, layers

Task = dict[str, Any]


def build(task: Task) -> Callable[[], object]:
    """Return a function that runs the task once."""
    batch, timesteps, features, units = task["shape"]
    bfloat16 = task["mode"] == "train bfloat16" and task["how"] != "ours float32"
    dtype, policy = ("bfloat16", "mixed_bfloat16") if bfloat16 else ("float32", "float32")
    rng = np.random.default_rng(0)
    x = tf.cast(rng.standard_normal((batch, timesteps, features), "float32"), dtype)
    d_y = tf.cast(rng.standard_normal((batch, timesteps, units), "float32"), dtype)
    layer = _layer(task["how"], task["cell"], units, policy)
    layer.return_sequences = task["mode"] != "train last"
    layer.build(x.shape)
    variables = layer.trainable_variables

    def forward(x: tf.Tensor) -> tf.Tensor:
        return layer(x, training=False)[0, 0]

    def train(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        weights = [variable.value for variable in variables]
        return y[0, 0], *tape.gradient(y, [x, *weights], output_gradients=d_y)

    def train_last(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
        return tape.gradient(y, [variable.value for variable in variables], d_y[:, -1])

    jit = task["how"].endswith(" jit")
    function = {"forward": forward, "train last": train_last}.get(task["mode"], train)
    run = tf.function(function, jit_compile=jit, autograph=False)

    def run_and_wait() -> np.ndarray:
        return tf.nest.flatten(run(x))[-1].numpy()

    return run_and_wait


def _layer(contestant: str, cell: str, units: int, dtype: str) -> keras.Layer:
    options: dict[str, Any] = {"return_sequences": True, "dtype": dtype}
    if contestant.startswith("ours"):
        return getattr(layers, cell)(units, checkpoint=contestant.endswith("checkpoint"), **options)
    if contestant.startswith("cell"):
        return keras.layers.RNN(getattr(cells, f"{cell}Cell")(units, dtype=dtype), **options)
    return getattr(keras.layers, cell)(units, **options)

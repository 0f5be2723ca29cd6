"""Accuracy of bfloat16: `python -m benchmarks.accuracy`.

Errors of outputs and gradients of every layer in mixed_bfloat16 relative to float32, with the fast
path and the general loop, on (32, 100, 128) with 128 units. Writes
`benchmarks/results/accuracy.json` and `docs/speed.md`.
"""

import keras
import numpy as np
import tensorflow as tf

from benchmarks import page
from benchmarks.recurrent import CELLS
from keras_seq import layers, scan

BATCH, TIMESTEPS, FEATURES, UNITS = 32, 100, 128, 128


def run(layer: keras.Layer, x: tf.Tensor, d_y: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the outputs, and the gradients of inputs and weights, each as one vector."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(layer(x, training=True), "float32")
    weights = [weight.value for weight in layer.trainable_weights]
    gradients = tape.gradient(y, [x, *weights], output_gradients=d_y)
    return y.numpy().ravel(), np.concatenate([g.numpy().ravel() for g in gradients])


def main() -> None:
    """Measure, print and write the results."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((BATCH, TIMESTEPS, FEATURES), "float32"))
    d_y = tf.constant(rng.standard_normal((BATCH, TIMESTEPS, UNITS), "float32"))
    rows = []
    for name in CELLS:
        exact = getattr(layers, name)(UNITS, return_sequences=True, seed=0)
        bfloat16 = getattr(layers, name)(UNITS, return_sequences=True, dtype="mixed_bfloat16")
        for layer in (exact, bfloat16):
            layer.build(x.shape)
        bfloat16.set_weights(exact.get_weights())
        expected = run(exact, x, d_y)
        row: page.Row = {"cell": name}
        row["fast_path"] = _errors(run(bfloat16, x, d_y), expected)
        with scan.general_only():
            row["general_loop"] = _errors(run(bfloat16, x, d_y), expected)
        rows.append(row)
        print(row, flush=True)
    page.write("accuracy", rows)


def _errors(actual: tuple[np.ndarray, ...], expected: tuple[np.ndarray, ...]) -> dict[str, float]:
    outputs, gradients = (
        float(np.linalg.norm(a - e) / np.linalg.norm(e)) for a, e in zip(actual, expected)
    )
    return {"outputs": outputs, "gradients": gradients}


if __name__ == "__main__":
    main()

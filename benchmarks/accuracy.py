"""What bfloat16 costs in accuracy: `python -m benchmarks.accuracy`.

Outputs and gradients of every layer over (32, 100, 128) with 128 units in mixed_bfloat16, by the
fast path and by the general loop, relative to those in float32. Writes
`benchmarks/results/accuracy.json` and `docs/speed.md`.
"""

import numpy as np
import tensorflow as tf

from benchmarks import page
from benchmarks.recurrent import CELLS
from keras_seq import layers, scan

BATCH, TIMESTEPS, FEATURES, UNITS = 32, 100, 128, 128


def results(layer, x, d_y):
    """Outputs, and the gradients of inputs and weights, as one vector each."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(layer(x, training=True), "float32")
    weights = [weight.value for weight in layer.trainable_weights]
    gradients = tape.gradient(y, [x, *weights], output_gradients=d_y)
    return y.numpy().ravel(), np.concatenate([g.numpy().ravel() for g in gradients])


def main():
    """Measures, prints, writes."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((BATCH, TIMESTEPS, FEATURES), "float32"))
    d_y = tf.constant(rng.standard_normal((BATCH, TIMESTEPS, UNITS), "float32"))
    rows = []
    for name in CELLS:
        exact = getattr(layers, name)(UNITS, return_sequences=True, seed=0)
        narrow = getattr(layers, name)(UNITS, return_sequences=True, dtype="mixed_bfloat16")
        for layer in (exact, narrow):
            layer.build(x.shape)
        narrow.set_weights(exact.get_weights())
        expected, row = results(exact, x, d_y), {"cell": name}
        row["fast path"] = _errors(results(narrow, x, d_y), expected)
        with scan.general_only():
            row["general loop"] = _errors(results(narrow, x, d_y), expected)
        rows.append(row)
        print(row, flush=True)
    page.write("accuracy", rows)


def _errors(found, expected):
    outputs, gradients = (
        float(np.linalg.norm(f - e) / np.linalg.norm(e)) for f, e in zip(found, expected)
    )
    return {"outputs": outputs, "gradients": gradients}


if __name__ == "__main__":
    main()

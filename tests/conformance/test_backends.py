"""A model saved on one backend loads on the others."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def python(backend, *arguments):
    """Run Python in the project's folder with a backend of Keras."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


SAVE = """
import sys, keras, numpy as np
from keras_seq import layers

inputs = keras.Input((None, 3))
masked = keras.layers.Masking()(inputs)
names = ["SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM"]
outputs = [getattr(layers, name)(4, return_sequences=True, name=name)(masked) for name in names]
backwards = keras.layers.Bidirectional(layers.PeepholeLSTM(2))(outputs[-1])
model = keras.Model(inputs, [*outputs, backwards])
model.save(sys.argv[1])
np.savez(sys.argv[2], *model.predict(np.load(sys.argv[3]), verbose=0))
"""

LOAD = """
import sys, keras, numpy as np
import keras_seq  # imports layers only when one is loaded

assert "keras_seq.layers" not in sys.modules
model = keras.saving.load_model(sys.argv[1])
np.savez(sys.argv[2], *model.predict(np.load(sys.argv[3]), verbose=0))
"""


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["tensorflow"])
def test_a_saved_model_loads_on_the_other_backends(writer, tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    x[0, 4:] = x[1, :2] = x[2, 3] = 0  # padded right, padded left, a hole
    np.save(tmp_path / "x.npy", x)
    model, x_file = tmp_path / "model.keras", tmp_path / "x.npy"
    python(writer, "-c", SAVE, model, tmp_path / "expected.npz", x_file)
    expected = np.load(tmp_path / "expected.npz")
    assert len(expected) == 6
    for reader in {"tensorflow", "jax", "torch"} - {writer}:
        python(reader, "-c", LOAD, model, tmp_path / f"{reader}.npz", x_file)
        actual = np.load(tmp_path / f"{reader}.npz")
        for name, values in expected.items():
            np.testing.assert_allclose(actual[name], values, rtol=0, atol=1e-5, err_msg=name)

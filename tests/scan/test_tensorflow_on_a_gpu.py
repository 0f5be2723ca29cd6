"""Choices for TensorFlow on a GPU, with a simulated one, and XLA's program of a whole loop."""

import re
import types

import keras
import numpy as np
import pytest
from helpers import BACKEND, assert_close, make, normal, run

from keras_seq import layers
from keras_seq.scan import compiled

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="these choices are TensorFlow's")

COMPILED = ["SimpleRNN", "PeepholeLSTM", "DiagonalPeepholeLSTM"]


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    """Let this package and Keras believe that there is a GPU."""
    import tensorflow as tf

    devices = [types.SimpleNamespace(device_type=kind) for kind in ("CPU", "GPU")]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: devices)
    monkeypatch.setattr(compiled, "has_gpu", lambda: True)
    monkeypatch.setattr(keras.src.backend, "cudnn_ok", lambda *args, **kwargs: True)


def compile_model(layer):
    model = keras.Sequential([keras.Input((5, 3)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
@pytest.mark.parametrize("masked", [False, True])
def test_lstm_and_gru_call_cudnn_as_keras_does(name, masked, monkeypatch):
    layer, theirs = make(name), getattr(keras.layers, name)(4)
    x, mask = normal(4, 5, 3), np.array([[True] * 4 + [False]] * 4) if masked else None
    expected = run(layer, x, mask=mask)
    calls = []

    def call(*args, mask=None, **options):
        calls.append(options["go_backwards"])
        raise NotImplementedError

    monkeypatch.setattr(keras.src.backend, name.lower(), call)
    assert_close(run(layer, x, mask=mask), expected)  # by the general loop
    # Masked sequences do not run on cuDNN, see `keras_seq.scan.cudnn`.
    assert calls == ([] if masked else [False])
    # XLA cannot compile TensorFlow's operators of cuDNN. Keras decides so for its own layers.
    assert not compile_model(layer).jit_compile
    keras_calls = len(calls)
    theirs(x, mask=mask)
    assert len(calls) == keras_calls + 1


@pytest.mark.parametrize("name", COMPILED)
def test_models_of_other_cells_are_compiled_as_keras_compiles_them(name):
    assert compile_model(getattr(layers, name)(4)).jit_compile is True
    assert compile_model(keras.layers.SimpleRNN(4)).jit_compile is True


@pytest.mark.parametrize("name", COMPILED)
def test_xla_compiles_both_loops_of_a_train_step(name):
    """The program has one loop forward and one backward, and computes the projection outside."""
    import tensorflow as tf

    layer = make(name, return_sequences=True)
    weights = [weight.value for weight in layer.trainable_weights]

    @tf.function(jit_compile=True, autograph=False)
    def train(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, [x, *weights])

    x = tf.constant(normal(4, 5, 3))
    text = train.experimental_get_compiler_ir(x)(stage="hlo")
    loops = re.findall(r"= \S.* while\(", text)
    assert len(loops) == 2
    assert re.findall(r"custom-call\([^)]*\), custom_call_target=\"([^\"]*)\"", text) == []

"""Keras operations that a runtime lacks, in custom models."""

import logging

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import export, layers
from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import exporting_to
from keras_seq._internal.portable import argmax

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

X = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_argmax_in_a_functional_model(tmp_path, format):
    inputs = keras.Input((4, 5), name="x")
    inner = keras.Model(inputs, ops.argmax(inputs, axis=1, keepdims=True))
    outputs = {"best": ops.argmax(inputs, axis=-1), "inner": inner(inputs)}
    report = export.FORMATS[format](keras.Model(inputs, outputs), tmp_path / "it", X)
    assert report["max_abs_error"] == 0


class Best(keras.layers.Layer):
    def call(self, x):
        return ops.argmax(x, axis=-1)


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_argmax_in_a_custom_layer_raises_an_error_with_a_hint(tmp_path, format):
    inputs = keras.Input((4, 5), name="x")
    model = keras.Model(inputs, Best()(inputs))
    with pytest.raises(InputError, match=r"ops\.argmax .* of floats need it: use tf\.argmax"):
        export.FORMATS[format](model, tmp_path / "it", X)
    assert not list(tmp_path.iterdir())


def test_argmax_ignores_the_sign_of_zero_in_exports_only():
    x = np.float32([-0.0, 0.0])
    assert int(argmax(x)) == 1
    with exporting_to("litert"):
        assert int(argmax(x)) == 0
        assert argmax(X, axis=1, keepdims=True).shape == (3, 1, 5)
    np.testing.assert_array_equal(argmax(X, axis=1), X.argmax(axis=1))


def test_deprecations_in_tf2onnx_are_not_printed(tmp_path, monkeypatch):
    from tensorflow.python.util import deprecation

    records = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", records.append)
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(deprecation, "_PRINTED_WARNING", {})  # each is printed once
    level = logger.level
    logger.setLevel(logging.WARNING)
    model = keras.Sequential([keras.Input((4, 5)), layers.PeepholeLSTM(2)])  # converts its step
    export.onnx(model, tmp_path / "it")
    assert not records and logger.level == logging.WARNING
    logger.setLevel(level)

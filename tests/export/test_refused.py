"""Errors of exports, after which nothing is written."""

import keras
import numpy as np
import pytest

from keras_seq import export, layers
from keras_seq._internal.errors import InputError

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)


def model_with(layer, *, batch=None):
    inputs = keras.Input((None, 2), batch, name="x")
    return keras.Model(inputs, layer(inputs), name="mine")


@pytest.mark.parametrize("format", export.FORMATS)
def test_other_backends(tmp_path, monkeypatch, format):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="requires the TensorFlow backend, got jax"):
        export.FORMATS[format](object(), tmp_path / "it")


@pytest.mark.parametrize("format", export.FORMATS)
def test_an_existing_path_is_not_overwritten(tmp_path, format):
    (tmp_path / "mine").write_text("work")
    with pytest.raises(InputError, match="exists already"):
        export.FORMATS[format](object(), tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "work"


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"needs onnxruntime .*pip install 'keras-seq\[export\]'"):
        export.onnx(object(), tmp_path / "it")


@pytest.mark.parametrize("format", export.FORMATS)
def test_a_stateful_layer(tmp_path, format):
    model = model_with(layers.LSTM(3, stateful=True, name="memory"), batch=1)
    with pytest.raises(InputError, match="memory is stateful"):
        export.FORMATS[format](model, tmp_path / "it", np.ones((1, 4, 2), "float32"))
    assert not list(tmp_path.iterdir())


def test_an_export_with_wrong_outputs_is_not_written(tmp_path, monkeypatch):
    from keras_seq.export.onnx import native

    # Swap gates, so that the outputs are wrong.
    monkeypatch.setattr(native, "GATES", {**native.GATES, "LSTM": ("ifco", "ifco")})
    examples = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32")
    with pytest.raises(InputError, match=r"predict: .* differs by .*; nothing was written"):
        export.onnx(model_with(layers.LSTM(3)), tmp_path / "it", examples)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("format", "suffix"), [("onnx", ".onnx"), ("litert", ".tflite")])
def test_a_path_that_looks_like_a_file(tmp_path, format, suffix):
    with pytest.raises(InputError, match=r"would be a folder.*leave out the suffix"):
        export.FORMATS[format](object(), tmp_path / f"mine{suffix}")

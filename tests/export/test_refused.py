"""What cannot be exported is refused in a sentence, and nothing is written."""

import keras
import numpy as np
import pytest

from keras_seq import export, layers
from keras_seq._internal.errors import InputError

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)


def last_of(layer, *, batch=None):
    inputs = keras.Input((None, 2), batch, name="x")
    return keras.Model(inputs, layer(inputs), name="mine")


@pytest.mark.parametrize("format", export.FORMATS)
def test_other_backends(tmp_path, monkeypatch, format):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="from the TensorFlow backend, not from jax"):
        export.FORMATS[format](object(), tmp_path / "it")


@pytest.mark.parametrize("format", export.FORMATS)
def test_what_is_there_is_not_overwritten(tmp_path, format):
    (tmp_path / "mine").write_text("work")
    with pytest.raises(InputError, match="exists already"):
        export.FORMATS[format](object(), tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "work"


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"needs onnxruntime .*pip install 'keras-seq\[export\]'"):
        export.onnx(object(), tmp_path / "it")


@pytest.mark.parametrize("format", export.FORMATS)
def test_a_stateful_layer(tmp_path, format):
    model = last_of(layers.LSTM(3, stateful=True, name="memory"), batch=1)
    with pytest.raises(InputError, match="memory is stateful"):
        export.FORMATS[format](model, tmp_path / "it", np.ones((1, 4, 2), "float32"))
    assert not list(tmp_path.iterdir())


def test_wrong_numbers_are_not_written(tmp_path, monkeypatch):
    from keras_seq.export.onnx import native

    # As if ONNX had its gates in another order.
    monkeypatch.setattr(native, "GATES", {**native.GATES, "LSTM": ("ifco", "ifco")})
    examples = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32")
    with pytest.raises(InputError, match=r"predict: .* differs by .*; nothing was written"):
        export.onnx(last_of(layers.LSTM(3)), tmp_path / "it", examples)
    assert not list(tmp_path.iterdir())

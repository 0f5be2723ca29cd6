"""SavedModels of functional models. Those of this package's models are tested with each model."""

import keras
import numpy as np
import pytest

from keras_seq import export, layers

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)


def test_any_functional_model(tmp_path):
    import tensorflow as tf

    x, mask = keras.Input((None, 2), name="x"), keras.Input((None,), dtype="bool", name="mask")
    last, *_, c = layers.LSTM(3, return_state=True)(x, mask=mask)
    # ONNX cannot represent an output with the name of an input.
    model = keras.Model({"x": x, "mask": mask}, {"x": last, "c": c})
    examples = {
        "x": np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32"),
        "mask": np.array([[1, 1, 1, 1], [0, 1, 0, 0]], bool),
    }
    report = export.savedmodel(model, tmp_path / "it", examples)
    assert report["endpoints"] == ["predict"] and report["max_abs_error"] < 1e-6
    loaded = tf.saved_model.load(tmp_path / "it")
    outputs = loaded.predict(examples["mask"], examples["x"])
    expected = model(examples)
    np.testing.assert_allclose(outputs["x#2"], expected["x"], atol=1e-6)
    np.testing.assert_allclose(outputs["c"], expected["c"], atol=1e-6)


def test_an_lstm_is_an_operator_that_keras_does_not_export(tmp_path):
    model = keras.Sequential([keras.Input((None, 2)), layers.LSTM(3)])
    export.savedmodel(model, tmp_path / "ours")
    model.export(tmp_path / "of_keras", verbose=False)
    ours, of_keras = (
        (tmp_path / name / "saved_model.pb").read_bytes() for name in ("ours", "of_keras")
    )
    # Other converters read Keras's exports, and know only plain operations.
    assert b"BlockLSTMV2" in ours and b"BlockLSTMV2" not in of_keras

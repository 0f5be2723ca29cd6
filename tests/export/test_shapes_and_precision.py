"""Fixed batch sizes, mixed precision, and recurrent layers inside TimeDistributed."""

import keras
import numpy as np
import onnx
import pytest
from helpers import slow

from keras_seq import export, layers
from keras_seq._internal.errors import InputError

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

X = np.random.default_rng(0).normal(size=(5, 4, 2)).astype("float32")
FORMATS = pytest.mark.parametrize("format", export.FORMATS)


def fixed(batch):
    inputs = keras.Input((None, 2), batch, name="x")
    return keras.Model(inputs, keras.layers.Dense(2)(layers.LSTM(3)(inputs)), name="mine")


@FORMATS
def test_a_model_of_a_fixed_batch(tmp_path, format):
    report = export.FORMATS[format](fixed(2), tmp_path / "it", X)
    assert report["max_abs_error"] < 1e-5


@FORMATS
def test_a_fixed_batch_needs_as_many_examples(tmp_path, format):
    with pytest.raises(InputError, match=r"mine takes batches of 6: .* got 5"):
        export.FORMATS[format](fixed(6), tmp_path / "it", X)
    assert not list(tmp_path.iterdir())


def mixed(policy):
    inputs = keras.Input((None, 2), name="x")
    x = keras.layers.Masking(dtype=policy)(inputs)
    ours = layers.LSTM(3, return_sequences=True, dtype=policy)
    x = keras.layers.Bidirectional(ours, dtype=policy)(x)
    x = layers.PeepholeLSTM(3, return_sequences=True, dtype=policy)(x)
    return keras.Model(inputs, layers.CRF(3, dtype=policy, name="scores")(x))


@pytest.mark.slow
@FORMATS
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_model_in_mixed_precision(tmp_path, format, policy):
    model = mixed(policy)
    x = (
        X
        * np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0]])[
            ..., None
        ]
    )
    before = keras.ops.convert_to_numpy(model(x))
    report = export.FORMATS[format](model, tmp_path / "it", x)
    assert report["max_abs_error"] < 1e-4
    # A SavedModel keeps the precision of the model.
    expected = None if format == "savedmodel" else f"float32 in place of {policy}"
    assert report.get("precision") == expected
    assert {layer.dtype_policy.name for layer in model.layers[1:]} == {policy}
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x)), before)


def test_weights_in_float16_are_exported_in_float32(tmp_path):
    inputs = keras.Input((None, 2), name="x", dtype="float32")
    model = keras.Model(inputs, layers.GRU(3, dtype="float16")(inputs))
    report = export.onnx(model, tmp_path / "it", X)
    assert report["max_abs_error"] < 1e-5
    assert report["precision"] == "float32 in place of float16"
    (output,) = onnx.load(tmp_path / "it/predict.onnx").graph.output
    assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


FLATTEN = (layers.FlattenTime, None)
STEPWISE = [FLATTEN, *(slow((layers.TimeDistributed, steps)) for steps in (3, None))]


@FORMATS
@pytest.mark.parametrize(("cls", "steps"), STEPWISE)
def test_a_recurrent_layer_inside_time_distributed(tmp_path, format, cls, steps):
    inputs = keras.Input((steps, 4, 2), name="x")
    model = keras.Model(inputs, cls(layers.LSTM(3))(inputs), name="mine")
    x = np.stack([X[:3], X[1:4], X[2:]], axis=1)
    if format == "litert" and cls is layers.FlattenTime:
        with pytest.raises(InputError, match=r"LiteRT cannot run mine: .* static"):
            export.litert(model, tmp_path / "it", x)
        return
    report = export.FORMATS[format](model, tmp_path / "it", x)
    assert report["max_abs_error"] < 1e-5

"""Export targets: their scope, and implementations per target."""

import importlib
import inspect
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from keras_seq._internal import export_target as module
from keras_seq._internal.export_target import (
    dispatch_by_target,
    export_target,
    exporting_to,
    implement,
)

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)


@dispatch_by_target
def double(x):
    """Return twice as much."""
    return 2 * x


class Numbers:
    @dispatch_by_target
    def first(self, x):
        return x


@implement(double, "onnx")
def double_for_onnx(x):
    return f"{x} twice"


@implement(Numbers.first, "litert")
def first_for_litert(numbers, x):
    return type(numbers), x


def test_target_is_set_within_its_block_and_thread():
    assert export_target() is None
    with exporting_to("onnx"), ThreadPoolExecutor() as elsewhere:
        assert export_target() == "onnx"
        assert elsewhere.submit(export_target).result() is None
        with exporting_to("litert"):
            assert export_target() == "litert"
        assert export_target() == "onnx"
    assert export_target() is None


def test_a_target_has_its_own_implementation():
    assert double.__doc__ == "Return twice as much."
    assert (double(2), Numbers().first(2)) == (4, 2)
    with exporting_to("onnx"):
        assert (double(2), Numbers().first(2)) == ("2 twice", 2)
    with exporting_to("litert"):
        assert (double(x=2), Numbers().first(2)) == (4, (Numbers, 2))


def test_an_implementation_with_other_parameters_raises_an_error():
    with pytest.raises(TypeError, match="must take x, as double does"):
        implement(double, "litert")(lambda y: y)
    with pytest.raises(TypeError, match=r"must take self, x, as Numbers\.first does"):
        implement(Numbers.first, "onnx")(lambda numbers, y: y)
    with exporting_to("litert"):
        assert double(2) == 4


class Target(keras.layers.Layer):
    """Adds 1 if the model is being exported."""

    def call(self, x):
        return x + (export_target() is not None)


@on_tensorflow
@pytest.mark.parametrize("format", ["tf_saved_model", "onnx"])
def test_exports_of_keras_itself_have_a_target(tmp_path, format):
    if format == "onnx":
        pytest.importorskip("tf2onnx")
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, Target()(inputs))
    x = np.float32([[1, 2]])
    assert model.predict(x, verbose=0).tolist() == [[1, 2]]
    model.export(tmp_path / "it", format=format, verbose=False)
    if format == "onnx":
        import onnxruntime

        (y,) = onnxruntime.InferenceSession(tmp_path / "it").run(None, {"x": x})
    else:
        import tensorflow as tf

        y = tf.saved_model.load(tmp_path / "it").serve(x).numpy()
    assert y.tolist() == [[2, 3]]
    assert model.predict(x, verbose=0).tolist() == [[1, 2]]


@on_tensorflow
def test_endpoints_of_an_archive_have_a_target(tmp_path):
    import tensorflow as tf

    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, Target()(inputs))
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec((None, 2), name="numbers")]
    archive.add_endpoint(name="add", fn=lambda numbers: model(numbers), input_signature=signature)
    traced = tf.function(lambda x: model(x), input_signature=signature)
    traced.get_concrete_function()
    archive.add_endpoint("traced", traced)
    archive.write_out(tmp_path / "it", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "it")
    x = np.float32([[1, 2]])
    assert loaded.add(x).numpy().tolist() == [[2, 3]]
    assert list(loaded.signatures["add"].structured_input_signature[1]) == ["numbers"]
    assert loaded.traced(x).numpy().tolist() == [[1, 2]], "it was traced before the export"


@on_tensorflow
def test_all_implementations_have_the_parameters_of_their_function():
    for name in ("onnx.recurrent", "litert"):
        importlib.import_module(f"keras_seq.export.{name}")
    for (function, target), implementation in module._implementations.items():
        expected, actual = (
            [(p.name, p.default) for p in inspect.signature(f).parameters.values()]
            for f in (function, implementation)
        )
        if "." in function.__qualname__:  # a method, whose first argument is the instance
            expected, actual = expected[1:], actual[1:]
        assert actual == expected, f"{function.__qualname__} for {target}"

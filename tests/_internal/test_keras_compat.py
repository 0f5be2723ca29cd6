"""Existence and behavior of each private name of Keras that keras-seq uses."""

import ast
import gc
import re
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import BACKEND, assert_close, normal, sequences, to_numpy
from keras import ops
from keras.src.saving.serialization_lib import ObjectSharingScope

from keras_seq import cells, layers
from keras_seq._internal import keras_compat as compat
from keras_seq._internal.errors import InputError

ROOT = Path(__file__).parents[2]

on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="only on TensorFlow")


def nested_model():
    """Return a model with nested layers."""
    inputs = keras.Input((None, 3))
    both = keras.layers.Bidirectional(layers.GRU(2, name="gru"), name="both")
    return keras.Model(inputs, keras.layers.Dense(1, name="dense")(both(inputs)))


# Names that are imported.


def test_every_name_that_is_imported_has_a_test():
    tested = Path(__file__).read_text()
    assert not [name for name in compat.PRIVATE_NAMES if f"compat.{name}" not in tested]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        compat.nothing  # noqa: B018


def test_autocast_scope_casts_weights():
    dense = keras.layers.Dense(2)
    dense.build((1, 3))
    with compat.AutocastScope("bfloat16"):
        inside = dense.kernel.value
    outside = dense.kernel.value
    actual = [keras.backend.standardize_dtype(tensor.dtype) for tensor in (inside, outside)]
    assert actual == ["bfloat16", "float32"]


def test_keras_infers_shapes_in_a_symbolic_scope():
    inside = []

    def call(x):
        inside.append(compat.in_symbolic_scope())
        return x

    compat.backend.compute_output_spec(call, keras.KerasTensor((2, 3)))
    assert not compat.in_symbolic_scope()
    assert BACKEND != "torch" or all(inside)


def test_an_rnn_of_keras_draws_the_masks_of_a_cell_with_the_mixin(monkeypatch):
    cell, drawn = cells.GRUCell(2, dropout=0.5, recurrent_dropout=0.5), []
    assert isinstance(cell, compat.DropoutRNNCell)
    for name in ("get_dropout_mask", "get_recurrent_dropout_mask"):
        method = getattr(compat.DropoutRNNCell, name)

        def draw(self, x, name=name, method=method):
            drawn.append(name)
            return method(self, x)

        monkeypatch.setattr(compat.DropoutRNNCell, name, draw)
    keras.layers.RNN(cell)(sequences(), training=True)
    assert drawn[:2] == ["get_dropout_mask", "get_recurrent_dropout_mask"], "before the loop"
    assert cell._dropout_mask is None and cell._recurrent_dropout_mask is None, "and none is left"


def test_the_backend_has_cudnn_s_kernels():
    assert callable(compat.backend.lstm) and callable(compat.backend.gru)
    if BACKEND == "tensorflow":
        assert callable(compat.backend.cudnn_ok)


def test_argmax_is_an_operation_of_a_functional_model():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, ops.argmax(inputs, axis=1, keepdims=True))
    (operation,) = (o for o in model.operations if isinstance(o, compat.Argmax))
    assert (operation.axis, operation.keepdims) == (1, True)


@on_tensorflow
def test_tf2onnx_is_patched():
    pytest.importorskip("tf2onnx")
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        compat.patch_tf2onnx()
    assert np.object is object, "tf2onnx reads this name, which NumPy 2 does not have"


def test_masks_are_read_from_tensors():
    x, actual = sequences(), []

    class Reads(keras.layers.Layer):
        def call(self, inputs):
            actual.append(compat.get_keras_mask(inputs))
            return ops.ones_like(inputs)

    x[0, 2:] = 0
    inputs, reads = keras.Input((None, 3)), Reads()
    reads.supports_masking = True
    model = keras.Model(inputs, reads(keras.layers.Masking()(inputs)))
    model.predict(x, verbose=0)
    assert actual[-1] is not None, "of a traced array"
    assert compat.get_keras_mask(ops.convert_to_tensor(x)) is None
    masked = keras.layers.Masking()(x)
    np.testing.assert_array_equal(to_numpy(compat.get_keras_mask(masked)), np.any(x, axis=-1))


def test_masks_are_set_on_tensors():
    values, mask = ops.ones((2, 3)), ops.ones((2, 3), "bool")
    compat.set_keras_mask(values, mask=mask)
    assert compat.get_keras_mask(values) is mask


def test_losses_are_reduced_as_by_keras():
    values, weights = np.float32([1, 2, 3]), np.float32([1, 0, 1])
    assert float(compat.reduce_weighted_values(values, reduction="sum")) == 6
    weighted = compat.reduce_weighted_values(
        values, sample_weight=weights, reduction="sum_over_batch_size", dtype="float32"
    )
    assert float(weighted) == pytest.approx(4 / 3)


def test_rnn_is_a_loop_over_time():
    x, zeros = normal(2, 4, 3), ops.zeros((2, 3))

    def step(inputs, states):
        return states[0] + inputs, [states[0] + inputs]

    last, outputs, states = compat.rnn(step, ops.convert_to_tensor(x), [zeros], input_length=4)
    expected = [x.sum(axis=1), x.cumsum(axis=1), x.sum(axis=1)]
    assert_close(to_numpy([last, outputs, *states]), expected)
    options = {"go_backwards": True, "unroll": True, "return_all_outputs": False}
    reverse = compat.rnn(step, ops.convert_to_tensor(x), [zeros], **options)
    assert_close([to_numpy(reverse[0])], [x.sum(axis=1)])


def test_losses_are_scaled_by_the_number_of_replicas(monkeypatch):
    value = ops.convert_to_tensor(6.0)
    assert float(compat.scale_loss_for_distribution(value)) == 6
    if BACKEND != "tensorflow":
        return
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    extended = type(strategy.extended)
    monkeypatch.setattr(extended, "_num_replicas_in_sync", property(lambda self: 3))
    with strategy.scope():
        assert float(compat.scale_loss_for_distribution(value)) == 2


# Layers and models.


def test_flatten_layers_and_child_layers():
    model = nested_model()
    names = {layer.name for layer in compat.flatten_layers(model)}
    assert {model.name, "both", "forward_gru", "backward_gru", "dense"} <= names
    both = model.get_layer("both")
    assert any(layer is both.forward_layer.cell for layer in compat.flatten_layers(model))
    assert {layer.name for layer in compat.child_layers(both)} == {"forward_gru", "backward_gru"}


def test_call_arguments():
    class Plain(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    class Both(keras.layers.Layer):
        def call(self, inputs, mask=None, training=False):
            return inputs

    pair = Plain(), Both()
    actual = [(compat.takes_training(layer), compat.takes_mask(layer)) for layer in pair]
    assert actual == [(False, False), (True, True)]


def test_batch_size_of_a_stateful_layer():
    layer = keras.layers.GRU(2, stateful=True)
    layer.build((4, None, 3))
    assert int(compat.stateful_batch_size(layer)) == 4


@on_tensorflow
def test_a_model_is_built_before_fit_and_not_again(monkeypatch):
    model = nested_model()
    model.compile("adam", "mse", metrics=["mae"])
    x, y = sequences(), normal(4, 1)
    compat.build_for_workers(model, (ops.convert_to_tensor(x[:2]), ops.convert_to_tensor(y[:2])))
    assert model.optimizer.built and model._compile_loss.built and model._compile_metrics.built
    monkeypatch.setattr(keras.Model, "_symbolic_build", lambda *_, **__: pytest.fail("built again"))
    model.fit(x, y, verbose=0)


@on_tensorflow
@pytest.mark.parametrize("is_built_first", [False, True])
def test_fit_traces_the_train_step_once_if_its_variables_exist(is_built_first):
    num_traces = 0

    class Model(keras.Model):
        def train_step(self, data):
            nonlocal num_traces
            num_traces += 1
            return super().train_step(data)

    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    outputs = {name: keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")}
    model = Model(inputs, outputs)
    model.compile("adam", {"a": "mse", "b": None}, jit_compile=False)
    y = {"a": normal(4, 1)}  # No target for the output without a loss.
    if is_built_first:
        compat.build_for_fit(model, normal(4, 5), y)
    model.fit(normal(4, 5), y, verbose=0)
    assert num_traces == (1 if is_built_first else 2)


@on_tensorflow
def test_without_arrays_or_symbolic_outputs_only_the_optimizer_is_built():
    for x, y in ((iter([]), None), (sequences(), None), (sequences(), [1.0, 2.0])):
        model = nested_model()
        model.compile("adam", "mse")
        compat.build_for_fit(model, x, y)
        assert model.optimizer.built and not model._compile_loss.built
    sequential = keras.Sequential([keras.layers.Dense(1)])
    sequential.compile("adam", "mse")
    compat.build_for_fit(sequential, normal(4, 5), normal(4, 1))
    assert not sequential.optimizer.built
    sequential.build((None, 5))
    compat.build_for_fit(sequential, normal(4, 5), normal(4, 1))
    assert sequential.optimizer.built
    sequential.fit(normal(4, 5), normal(4, 1), verbose=0)


@on_tensorflow
def test_gradients_are_summed_before_they_are_clipped():
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    variable = keras.Variable([0.0, 0.0])
    optimizer.build([variable])
    # Simulates two replicas with these gradients.
    optimizer._all_reduce_sum_gradients = lambda pairs: [(2 * g, v) for g, v in pairs]
    compat.clip_summed_gradients(optimizer)
    optimizer.apply([ops.convert_to_tensor([0.3, 0.4])], [variable])
    assert_close([to_numpy(variable.value)], [np.float32([-0.6, -0.8])])
    assert callable(keras.optimizers.SGD._all_reduce_sum_gradients)


def test_both_directions_may_run_as_one_kernel():
    both = nested_model().get_layer("both")
    halves = [getattr(keras.layers.Bidirectional, name, None) for name in compat.FUSED_METHODS]
    source = Path(keras.layers.Bidirectional.call.__code__.co_filename).read_text()
    assert all(callable(half) for half in halves)
    assert all(f"if self.{name}(mask, initial_state):" in source for name in compat.FUSED_METHODS)
    assert [getattr(both, name)(None, None) for name in compat.FUSED_METHODS] == [False, False]


# Errors, export, saved models.


@pytest.fixture
def filtering():
    """Enable the traceback filtering of Keras, which its own tests disable."""
    before = keras.config.is_traceback_filtering_enabled()
    keras.config.enable_traceback_filtering()
    yield
    if not before:
        keras.config.disable_traceback_filtering()


def test_keras_adds_nothing_to_the_message_of_an_error(filtering):
    class Fails(keras.layers.Layer):
        def call(self, inputs):
            raise self.error("Only this.")

    layer = Fails()
    layer.error = InputError
    with pytest.raises(InputError) as caught:
        layer(sequences())
    assert str(caught.value) == "Only this."
    layer.error = ValueError
    with pytest.raises(ValueError, match="Arguments received"):
        layer(sequences())


def test_each_load_has_its_own_dictionary(tmp_path, monkeypatch):
    actual = []
    from_config = layers.GRU.from_config.__func__

    def remember(cls, config):
        actual.append(compat.objects_being_loaded())
        return from_config(cls, config)

    monkeypatch.setattr(layers.GRU, "from_config", classmethod(remember))
    nested_model().save(tmp_path / "model.keras")
    actual.clear()
    for _ in range(2):
        keras.saving.load_model(tmp_path / "model.keras")
    assert all(isinstance(objects, dict) for objects in actual)
    assert actual[0] is not actual[-1] and compat.objects_being_loaded() is None


LOAD = """
import sys
import keras_seq

assert not {"keras", "tensorflow", "jax", "torch"} & set(sys.modules)
import keras

keras.saving.load_model(sys.argv[1])
assert "keras_seq.layers" in sys.modules
"""


@pytest.mark.slow
def test_saved_classes_are_found_after_an_import_that_imports_no_backend(tmp_path):
    nested_model().save(tmp_path / "model.keras")
    command = [sys.executable, "-c", LOAD, str(tmp_path / "model.keras")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


# The names are nowhere else.

PRIVATE = re.compile(
    r"keras\.src|keras_tuner\.src|(?<!\w)_keras_mask\b|gcs_utils"
    r"|\._(all_reduce_sum_gradients|call_has_\w+_arg|can_attempt_fused_\w+|compile_loss"
    r"|compile_metrics|distribute_strategy|duplicate|expected_batch_size|flatten_layers"
    r"|keras_call_info_injected|maybe_symbolic_build"
    r"|random_populate_space|random_state|random_values|retry_queue|run_times|save_trial"
    r"|symbolic_build)\b"
)
FOLDERS = ("keras_seq", "recipes")
ALLOWED = {f"keras_seq/_internal/{name}_compat.py" for name in ("keras", "keras_tuner", "tfds")}


def test_no_other_file_uses_a_private_name():
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    mentions = {
        f"{path.relative_to(ROOT)}: {actual[0]}"
        for path in files
        if str(path.relative_to(ROOT)) not in ALLOWED
        for actual in PRIVATE.finditer(path.read_text())
    }
    assert not mentions
    assert len(files) > 100 and all((ROOT / name).exists() for name in ALLOWED)


def test_the_pattern_knows_every_private_name_of_the_compatibility_files():
    attributes = {
        node.attr
        for name in ALLOWED
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr)
    }
    assert attributes and all(PRIVATE.search(f".{attribute}") for attribute in attributes)


def test_directions_stay_separate_while_a_model_is_loaded():
    """Layers at the addresses of deleted ones must not be taken for these."""
    seen = set()
    stacks = []
    with ObjectSharingScope():
        shared = compat.objects_being_loaded()
        for _ in range(20):
            stacks.append(layers.RNNStack("SimpleRNN", 2, num_layers=2, bidirectional=True))
            gc.collect()
        assert compat.objects_being_loaded() is shared
    for stack in stacks:
        for both in stack.recurrent_layers:
            seen |= {id(both.forward_layer), id(both.backward_layer)}
            assert (both.forward_layer.go_backwards, both.backward_layer.go_backwards) == (0, 1)
    assert len(seen) == 20 * 2 * 2

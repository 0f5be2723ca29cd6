"""Private names of Keras that keras-seq uses, each with its reason.

`tests/_internal/test_keras_compat.py` has a test for each name, which fails when Keras changes it.
No other file may use one. `import keras_seq` imports this module, so it must not import a backend:
the names of Keras are looked up on first use.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import wrapt

if TYPE_CHECKING:
    import keras

PRIVATE_NAMES = {
    # ONNX and LiteRT do not support this operation of a functional model. An export finds it by its
    # class and replaces its `call`.
    "Argmax": "keras.src.ops.numpy",
    # Single steps of a layer run outside of Keras's `__call__`, which enters the scope that casts
    # weights to the precision of the layer.
    "AutocastScope": "keras.src.backend",
    # `keras.layers.RNN` draws the dropout masks of a cell with this mixin before its loop. Dropout
    # of other cells does not work inside `keras.layers.RNN`.
    "DropoutRNNCell": "keras.src.layers.rnn.dropout_rnn_cell",
    # The kernels of cuDNN are in this module, and a function that creates variables by a trace.
    "backend": "keras.src",
    # Tensors carry their masks; only this function returns those of traced JAX arrays.
    "get_keras_mask": "keras.src.backend",
    # On torch, Keras infers shapes with tensors of ones, whose values must not be checked.
    "in_symbolic_scope": "keras.src.backend",
    # tf2onnx 1.17 uses names that NumPy 2 removed. Keras patches it for its own exports.
    "patch_tf2onnx": "keras.src.export.tf2onnx_lib",
    # `keras.losses.Loss.__call__` would weight a loss per sequence by the mask of the steps.
    "reduce_weighted_values": "keras.src.losses.loss",
    # The only loop over time steps that exists on all backends: a `while_loop` of TensorFlow, a
    # `scan` of JAX, a Python loop on torch.
    "rnn": "keras.src.backend",
    # A mean over sequences must be scaled as Keras scales its own losses under `tf.distribute`.
    "scale_loss_for_distribution": "keras.src.losses.loss",
    # The mask on the values of a loss determines which of them Keras averages.
    "set_keras_mask": "keras.src.backend",
}
"""Private names of Keras and their modules."""

FUSED_METHODS = ("_can_attempt_fused_lstm", "_can_attempt_fused_gru")
"""Methods that make a Bidirectional layer run both directions by one cuDNN kernel, without a call
of either layer. A trace patches them to return False."""
PACKAGE = "keras_seq"
REGISTERING = ("layers", "losses", "models")
"""Packages that register classes with Keras on import."""

T = TypeVar("T", bound=type)


def __getattr__(name: str) -> Any:
    if name not in PRIVATE_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(PRIVATE_NAMES[name]), name)


# Layers and models.


def flatten_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return a layer and all layers within it; Keras exports only those directly in a model."""
    return list(layer._flatten_layers())


def child_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return the layers directly within a layer, which Keras exports for models only."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def takes_training(layer: keras.layers.Layer) -> bool:
    """Return whether Keras passes `training` to `layer.call`."""
    return layer._call_has_training_arg


def takes_mask(layer: keras.layers.Layer) -> bool:
    """Return whether Keras passes `mask` to `layer.call`."""
    return layer._call_has_mask_arg


def stateful_batch_size(layer: keras.layers.RNN) -> int | None:
    """Return the batch size for which a stateful `keras.layers.RNN` was built.

    Keras compares it with that of the sequences, which may be unknown on TensorFlow.
    """
    return layer._expected_batch_size


def build_for_workers(model: keras.Model, batch: Any) -> None:
    """Build optimizer, loss and metrics, as the first step of `fit` would.

    `fit` skips this afterwards, because it fails there with several workers (keras 20585).

    Args:
        model: Compiled model.
        batch: A few rows of inputs and targets.
    """
    model._symbolic_build(data_batch=batch)
    model._maybe_symbolic_build = lambda **_: None


def build_for_fit(model: keras.Model, inputs: Any, targets: Any) -> None:
    """Create the variables that the first train step of `fit` would create on TensorFlow.

    Keras would trace the step twice: once to create them, and once to run it.

    Args:
        model: Compiled model. Without symbolic outputs, only its optimizer is built.
        inputs: Inputs as arrays. If they or the targets are something else, such as a dataset, only
            the optimizer is built.
        targets: Targets as arrays.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or not model.built:
        return
    if model._distribute_strategy is not None:
        return
    model.optimizer.build(model.trainable_variables)
    outputs = getattr(model, "output", None)
    if outputs is None or targets is None:
        return
    if not all(hasattr(array, "shape") for array in keras.tree.flatten((inputs, targets))):
        return

    def symbols(arrays: Any) -> Any:
        return keras.tree.map_structure(
            lambda array: keras.KerasTensor((None, *array.shape[1:]), array.dtype), arrays
        )

    for state, compute in (
        (model._compile_loss, model.compute_loss),
        (model._compile_metrics, model.compute_metrics),
    ):
        if state is not None and not state.built:
            __getattr__("backend").compute_output_spec(
                compute, symbols(inputs), symbols(targets), symbols(outputs)
            )


def clip_summed_gradients(optimizer: keras.Optimizer) -> None:
    """Patch an optimizer to clip gradients after the all-reduce, not on each replica.

    Keras clips the gradients of each replica before it sums them.
    """
    all_reduce, apply = optimizer._all_reduce_sum_gradients, optimizer.apply

    def apply_to_sums(grads: Any, trainable_variables: Any) -> Any:
        pairs = all_reduce(zip(grads, trainable_variables))
        return apply([gradient for gradient, _ in pairs], trainable_variables)

    optimizer.apply = apply_to_sums
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs


# Errors, export, saved models.


def without_call_arguments(error: T) -> T:
    """Decorate a class of errors to which Keras must not add the arguments of layer calls."""
    error._keras_call_info_injected = True  # type: ignore[attr-defined]
    return error


@contextlib.contextmanager
def without_sharing() -> Iterator[None]:
    """Copy layers within a `with` block even while Keras loads a model.

    `keras.layers.Bidirectional` copies its layer by serialization. While a model is loaded, Keras
    takes two objects for one if they have the same `id`, which new objects inherit from deleted
    ones. Both directions then become one layer, or those of another.
    """
    state = importlib.import_module("keras.src.backend.common.global_state")
    names = ("shared_objects/id_to_obj_map", "shared_objects/id_to_config_map")
    maps = {name: state.get_global_attribute(name) for name in names}
    try:
        for name in names:
            state.set_global_attribute(name, None)
        yield
    finally:
        for name, value in maps.items():
            state.set_global_attribute(name, value)


def objects_being_loaded() -> dict[Any, Any] | None:
    """Return the shared objects of `keras.saving.load_model` by id; None outside of it.

    A loss has no reference to the model with which it is loaded. This dictionary, one per load and
    thread, is the only object that a layer and a loss of the same model can both access.
    """
    state = importlib.import_module("keras.src.backend.common.global_state")
    return state.get_global_attribute("shared_objects/id_to_obj_map")


def find_saved_classes() -> None:
    """Make Keras load saved models after `import keras_seq`, which imports no backend.

    Keras looks up the classes of a saved model in its registry, without an import of the modules
    that the model names. So a lookup of a class of this package imports the packages that register.
    """
    registry = "keras.src.saving.object_registration"
    wrapt.register_post_import_hook(_search_after_import, registry)


def _search_after_import(registry: ModuleType) -> None:
    search: Callable[..., Any] = registry.get_registered_object

    @functools.wraps(search)
    def get_registered_object(name: Any, *args: Any, **kwargs: Any) -> Any:
        if str(name).startswith(f"{PACKAGE}>"):
            for package in REGISTERING:
                importlib.import_module(f"{PACKAGE}.{package}")
        return search(name, *args, **kwargs)

    registry.get_registered_object = get_registered_object  # type: ignore[attr-defined]

"""Private names of Keras that keras-seq uses, each with its reason.

`tests/_internal/test_keras_compat.py` has a test for each, which fails when Keras changes it; no
other file may mention one. Importing this module imports no backend, since `import keras_seq` does
it: Keras's own names are looked up when they are first used.
"""

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import wrapt

IMPORTED = {
    # ONNX and LiteRT cannot compute this operation of a functional model, so that an export finds
    # it by its class and replaces its `call`.
    "Argmax": "keras.src.ops.numpy",
    # Layers step through time on their own, outside of Keras's `__call__`, which enters the scope
    # that casts weights to the precision of the layer.
    "AutocastScope": "keras.src.backend",
    # `keras.layers.RNN` looks for this mixin by type to draw the dropout masks of a cell before its
    # loop; a cell without it cannot drop inside `keras.layers.RNN`.
    "DropoutRNNCell": "keras.src.layers.rnn.dropout_rnn_cell",
    # cuDNN's kernels are in this module.
    "backend": "keras.src",
    # Masks travel on tensors; only this function finds those of JAX's traced arrays.
    "get_keras_mask": "keras.src.backend",
    # tf2onnx 1.17 uses names that NumPy 2 removed. Keras mends it for its own exports.
    "patch_tf2onnx": "keras.src.export.tf2onnx_lib",
    # A loss of one number per sequence must not be weighted by the mask of the steps, as
    # `keras.losses.Loss.__call__` would do.
    "reduce_weighted_values": "keras.src.losses.loss",
    # The one loop over time steps that all backends share: a `while_loop` in TensorFlow, a `scan`
    # in JAX, a Python loop in torch.
    "rnn": "keras.src.backend",
    # The mean over sequences has to be scaled as Keras scales its own losses under `tf.distribute`.
    "scale_loss_for_distribution": "keras.src.losses.loss",
    # A loss tells by the mask on its values which of them count in the mean.
    "set_keras_mask": "keras.src.backend",
}
"""Names that Keras has without exporting them, and the modules that they are in."""

FUSED_METHODS = ("_can_attempt_fused_lstm", "_can_attempt_fused_gru")
"""Methods by which a Bidirectional layer runs both halves by one kernel of cuDNN, neither of them
being called; a trace answers False in their place."""
PACKAGE = "keras_seq"
REGISTERING = ("layers", "losses", "models")
"""Parts of this package that register classes with Keras when they are imported."""

T = TypeVar("T", bound=type)


def __getattr__(name: str) -> Any:
    if name not in IMPORTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(IMPORTED[name]), name)


# Layers and models.


def flatten_layers(layer: Any) -> list:
    """Return a layer and all layers within it; Keras exports a model's own layers alone."""
    return list(layer._flatten_layers())


def child_layers(layer: Any) -> list:
    """Return the layers right below one, which Keras exports for models only."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def takes_training(layer: Any) -> bool:
    """Return whether `layer.call` takes `training`, by which Keras decides to pass it on."""
    return layer._call_has_training_arg


def takes_mask(layer: Any) -> bool:
    """Return whether `layer.call` takes `mask`, by which Keras decides to pass it on."""
    return layer._call_has_mask_arg


def stateful_batch_size(layer: Any) -> int | None:
    """Return the batch size that a stateful `keras.layers.RNN` was built for.

    Keras compares it with that of the sequences, which TensorFlow may not know.
    """
    return layer._expected_batch_size


def build_for_workers(model: Any, batch: Any) -> None:
    """Build optimizer, loss and metrics, as the first step of `fit` would.

    There it fails for several workers (keras 20585), so that `fit` must not do it again.

    Args:
        model: A compiled model.
        batch: Inputs and targets, a few rows.
    """
    model._symbolic_build(data_batch=batch)
    model._maybe_symbolic_build = lambda **_: None


def clip_summed_gradients(optimizer: Any) -> None:
    """Let an optimizer clip the gradients of a whole batch, not those of each device's part.

    Keras adds up the gradients of the devices after it has clipped them.
    """
    add_up, apply = optimizer._all_reduce_sum_gradients, optimizer.apply

    def apply_to_sums(grads: Any, trainable_variables: Any) -> Any:
        pairs = add_up(zip(grads, trainable_variables))
        return apply([gradient for gradient, _ in pairs], trainable_variables)

    optimizer.apply = apply_to_sums
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs


# Errors, export, saved models.


def without_call_arguments(error: T) -> T:
    """Mark a class of errors, to whose message Keras would add all arguments of each layer call."""
    error._keras_call_info_injected = True  # type: ignore[attr-defined]
    return error


def objects_being_loaded() -> dict | None:
    """Return what `keras.saving.load_model` keeps of the model that it makes, None outside of it.

    A loss is told nothing of the model that it is loaded with. This dictionary, of one load in one
    thread, is the only thing that a layer and a loss of the same model both reach.
    """
    state = importlib.import_module("keras.src.backend.common.global_state")
    return state.get_global_attribute("shared_objects/id_to_obj_map")


def find_saved_classes() -> None:
    """Let Keras load saved models after `import keras_seq` alone, which imports no backend.

    Keras looks up the classes of a saved model in its registry, and does not import the modules
    that the model names. So the first search for a class of this package imports those parts.
    """
    registry = "keras.src.saving.object_registration"
    wrapt.register_post_import_hook(_search_after_import, registry)


def _search_after_import(registry: ModuleType) -> None:
    search: Callable = registry.get_registered_object

    @functools.wraps(search)
    def get_registered_object(name: Any, *args: Any, **kwargs: Any) -> Any:
        if str(name).startswith(f"{PACKAGE}>"):
            for part in REGISTERING:
                importlib.import_module(f"{PACKAGE}.{part}")
        return search(name, *args, **kwargs)

    registry.get_registered_object = get_registered_object  # type: ignore[attr-defined]

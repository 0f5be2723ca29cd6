"""Base class of export adapters, and their registry."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Tensor


class Endpoint(NamedTuple):
    """Function of a model to export, with its signature and examples.

    >>> import tensorflow as tf
    >>> from keras_seq.export import Endpoint
    >>> signature = [tf.TensorSpec([None], tf.float32, "x")]
    >>> double = Endpoint(lambda x: {"y": 2 * x}, signature, [[[1.0]], [[1.0, 2.0]]])
    >>> double.function(tf.constant([3.0]))["y"].numpy().tolist()
    [6.0]
    """

    function: Callable[..., dict[str, Tensor]]
    """Function from tensors to a dict of tensors by name."""
    signature: list[Any]
    """Named `tf.TensorSpec` of each argument."""
    examples: list[list[Any]]
    """Lists of arguments to verify the export on. The batch size of the first list is 1."""
    resources: Sequence[Any] = ()
    """Lookup tables of TensorFlow that the function reads, for a SavedModel to include."""


class Adapter:
    """Base class of export adapters, which define the endpoints of a class of models.

    A subclass defines `tensor_signatures`, and overrides other methods as needed. `register`
    assigns it to a class of models.

    >>> import keras, numpy as np, tensorflow as tf
    >>> from keras_seq import export
    >>> class ScalerAdapter(export.Adapter):
    ...     def example_inputs(self):
    ...         return np.ones((2, 3), "float32")
    ...     def tensor_signatures(self, examples):
    ...         signature = [tf.TensorSpec([None, 3], tf.float32, "x")]
    ...         batches = [[examples[:1]], [examples]]
    ...         function = lambda x: {"y": self.model(x)}
    ...         return {"scale": export.Endpoint(function, signature, batches)}
    >>> class Scaler(keras.Model):
    ...     def call(self, x):
    ...         return 2 * x
    >>> export.register(Scaler, ScalerAdapter)
    >>> adapter = ScalerAdapter(Scaler())
    >>> sorted(adapter.tensor_signatures(adapter.example_inputs()))
    ['scale']

    Args:
        model: Built model of the registered class.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model: Any = model

    def example_inputs(self) -> Any:
        """Return default examples to verify an export on.

        Returns:
            Examples in the form that `tensor_signatures` and `text_signatures` take.

        Raises:
            InputError: If the adapter has no default examples.
        """
        raise InputError(f"{self.model.name} cannot be exported without examples: pass some.")

    def tensor_signatures(self, examples: Any) -> dict[str, Endpoint]:
        """Return the endpoints with numeric tensors only, for ONNX and LiteRT.

        Args:
            examples: Examples to verify the export on.

        Returns:
            Endpoints by name.
        """
        raise NotImplementedError(f"{type(self).__name__} has no tensor_signatures().")

    def text_signatures(self, examples: Any) -> dict[str, Endpoint]:
        """Return the endpoints with raw inputs, such as strings, for a SavedModel.

        Default: the endpoints of `tensor_signatures`.

        Args:
            examples: Examples to verify the export on.

        Returns:
            Endpoints by name.
        """
        return self.tensor_signatures(examples)

    def metadata(self) -> dict[str, Any]:
        """Return a description of the tensors of `tensor_signatures`, for `metadata.json`.

        Returns:
            JSON values by name. If empty, no file is written.
        """
        return {}


_ADAPTERS: dict[type, type[Adapter]] = {}


def register(model_class: type, adapter: type[Adapter]) -> None:
    """Register an adapter for a class of models and its subclasses.

    An adapter of a subclass takes precedence. Registering a class again replaces its adapter.

    Args:
        model_class: Subclass of `keras.Model`.
        adapter: Subclass of `Adapter`.
    """
    _ADAPTERS[model_class] = adapter


def adapter_for(model: Any) -> Adapter:
    """Return an adapter for a model, registered for its class or the nearest base class.

    Args:
        model: Built model.

    Raises:
        InputError: If neither the class nor a base class is registered.
    """
    for model_class in type(model).__mro__:
        if model_class in _ADAPTERS:
            return _ADAPTERS[model_class](model)
    raise InputError(
        f"A {type(model).__name__} cannot be exported: pass a keras.Model, or register an adapter "
        "with keras_seq.export.register()."
    )

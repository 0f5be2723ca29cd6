"""What an export asks about a model, and the registry of the adapters that answer."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras

from keras_seq._internal.errors import InputError


class Endpoint(NamedTuple):
    """A function of a model that is exported."""

    function: Callable[..., dict[str, Any]]
    """Takes tensors, returns a dict of tensors by name."""
    signature: list[Any]
    """A `tf.TensorSpec` with a name for each argument."""
    examples: list[list[Any]]
    """Lists of arguments to compare the exported function on; the first has one row."""
    resources: Sequence[Any] = ()
    """Lookup tables of TensorFlow that the function reads: a SavedModel saves them."""


class Adapter:
    """Base of the objects that tell how a kind of model is exported.

    A subclass defines `tensor_signatures`, and overrides the other methods where the model can do
    more. `register` connects it with the class of the model.

    Args:
        model: A built model of the class that the adapter is registered for.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model: Any = model

    def example_inputs(self) -> Any:
        """Return examples to compare an exported model on, for callers who give none.

        Returns:
            A list, or arrays with several rows, as the methods below take them.

        Raises:
            InputError: If the adapter cannot make any.
        """
        raise InputError(f"{self.model.name} cannot be exported without examples: give some.")

    def tensor_signatures(self, examples: Any) -> dict[str, Endpoint]:
        """Return the endpoints from numbers to numbers, for ONNX and LiteRT.

        Args:
            examples: Examples to compare on.

        Returns:
            Name to endpoint.
        """
        raise NotImplementedError(f"{type(self).__name__} has no tensor_signatures().")

    def text_signatures(self, examples: Any) -> dict[str, Endpoint]:
        """Return the endpoints from raw inputs to readable answers, for a SavedModel.

        They may compute with strings. By default they are those of `tensor_signatures`.

        Args:
            examples: Examples to compare on.

        Returns:
            Name to endpoint.
        """
        return self.tensor_signatures(examples)

    def metadata(self) -> dict[str, Any]:
        """Return what the numbers of `tensor_signatures` mean, to be written as JSON.

        Returns:
            Content of `metadata.json`; no file is written if it is empty.
        """
        return {}


_ADAPTERS: dict[type, type[Adapter]] = {}


def register(model_class: type, adapter: type[Adapter]) -> None:
    """Let an adapter tell how models of a class are exported, and those of its subclasses.

    An adapter of a subclass goes before that of its base. A second registration of the same class
    replaces the first.

    Args:
        model_class: Subclass of `keras.Model`.
        adapter: Subclass of `Adapter`.
    """
    _ADAPTERS[model_class] = adapter


def adapter_for(model: Any) -> Adapter:
    """Return the adapter of a model, by its class or the nearest of its bases.

    Args:
        model: A built `keras.Model`.

    Raises:
        InputError: If neither the class nor one of its bases is registered.
    """
    for model_class in type(model).__mro__:
        if model_class in _ADAPTERS:
            return _ADAPTERS[model_class](model)
    raise InputError(
        f"A {type(model).__name__} cannot be exported: give a keras.Model, or register an adapter "
        "with keras_seq.export.register()."
    )

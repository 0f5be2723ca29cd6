"""What must hold before a model is exported."""

import importlib
from pathlib import Path
from types import ModuleType

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import flatten_layers


def require_tensorflow(artifact: str) -> None:
    """Refuse a backend that cannot export.

    Args:
        artifact: What is exported, to begin a sentence with.

    Raises:
        InputError: If the backend is not TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"{artifact} is exported from the TensorFlow backend, not from "
            f"{keras.backend.backend()}: save the model, and load it with KERAS_BACKEND=tensorflow."
        )


def require_free(path: str | Path) -> None:
    """Refuse a path that exists.

    Raises:
        InputError: If the path exists.
    """
    if Path(path).exists():
        raise InputError(f"{path} exists already: remove it, or export to another place.")


def require_module(name: str) -> ModuleType:
    """Return a module that only exports need.

    Raises:
        InputError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"This export needs {name} ({error}): pip install 'keras-seq[export]'."
        ) from error


def require_stateless(model: keras.Model) -> None:
    """Refuse a model with a stateful layer.

    Raises:
        InputError: If a layer is stateful.
    """
    for layer in flatten_layers(model):
        if getattr(layer, "stateful", False):
            raise InputError(
                f"{layer.name} is stateful: what a batch leaves for the next is no part of a graph."
            )

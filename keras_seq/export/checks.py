"""Preconditions of exports."""

import importlib
import os
from pathlib import Path
from types import ModuleType

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import flatten_layers


def require_tensorflow(export_format: str) -> None:
    """Check that the backend is TensorFlow.

    Args:
        export_format: Name of the format, for the error message.

    Raises:
        InputError: If the backend is another one.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"Export to {export_format} requires the TensorFlow backend, got "
            f"{keras.backend.backend()}: save the model, and load it with KERAS_BACKEND=tensorflow."
        )


def require_new_path(path: str | os.PathLike[str]) -> None:
    """Check that a path does not exist.

    Args:
        path: Path to write.

    Raises:
        InputError: If the path exists.
    """
    if Path(path).exists():
        raise InputError(f"{path} exists already: remove it, or export to another path.")


def require_module(name: str) -> ModuleType:
    """Import an optional module.

    Args:
        name: Name of the module.

    Raises:
        InputError: If the module is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"This export needs {name} ({error}): pip install 'keras-seq[export]'."
        ) from error


def require_stateless(model: keras.Model) -> None:
    """Check that a model has no stateful layer.

    Args:
        model: Built model.

    Raises:
        InputError: If a layer is stateful.
    """
    for layer in flatten_layers(model):
        if getattr(layer, "stateful", False):
            raise InputError(
                f"{layer.name} is stateful: an exported graph keeps no state between batches. "
                "Build the model with stateful=False."
            )

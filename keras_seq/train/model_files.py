"""Files of trained models: checks before the backend is imported, and loading."""

import zipfile
from pathlib import Path
from typing import Any

from keras_seq._internal import files
from keras_seq._internal.errors import DamagedFileError, InputError, excerpt

SAVED_MODEL = ("config.json", "metadata.json", "model.weights.h5")
"""Members of a Keras model file, the architecture first."""
LAMBDA = b'"__lambda__"'
"""Class name under which Keras saves the byte code of a function."""
LOADING_ERRORS = (AttributeError, LookupError, OSError, TypeError, ValueError)
"""Exceptions of Keras for content that does not describe a model."""


def check(path: Path, remedy: str) -> None:
    """Check the file of a model without loading it.

    Args:
        path: File that Keras saved.
        remedy: Advice for the user if the file is damaged, as a clause.

    Raises:
        InputError: If the file is damaged or contains code.
    """
    files.check_zip(path, SAVED_MODEL, remedy)
    with zipfile.ZipFile(path) as archive:
        if LAMBDA in archive.read(SAVED_MODEL[0]):
            raise InputError(
                f"{path} contains a Python lambda, which could run any code. Write it as a layer "
                "and train again."
            )


def load(path: Path, remedy: str) -> Any:
    """Return the model in a file that `check` has checked.

    Args:
        path: File that Keras saved.
        remedy: Advice for the user if the file is damaged, as a clause.

    Raises:
        DamagedFileError: If Keras cannot load it.
    """
    import keras

    import keras_seq.layers  # noqa: F401  (registers its classes for loading)

    try:
        return keras.saving.load_model(path, safe_mode=True)
    except LOADING_ERRORS as error:
        reason = f"Keras cannot load it ({type(error).__name__}: {excerpt(str(error), 300)})"
        raise DamagedFileError(path, reason, remedy) from error

"""Checks of saved models before they are loaded."""

import zipfile
from pathlib import Path

from keras_seq._internal import files
from keras_seq._internal.errors import InputError

SAVED_MODEL = ("config.json", "metadata.json", "model.weights.h5")
"""Members of a Keras model file, the architecture first."""
LAMBDA = b'"__lambda__"'
"""Class name under which Keras saves the byte code of a function."""


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

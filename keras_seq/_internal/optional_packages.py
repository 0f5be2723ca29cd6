"""Imports of packages that not every installation has."""

import importlib
from typing import Any

from keras_seq._internal.errors import InputError


def import_scipy(module: str, purpose: str) -> Any:
    """Return a module of SciPy, such as `stats`.

    Args:
        module: Name of the module.
        purpose: What needs it, the first words of the error.

    Raises:
        InputError: If SciPy is not installed.
    """
    try:
        importlib.import_module("scipy")
        return importlib.import_module(f"scipy.{module}")
    except ImportError:
        raise InputError(f"{purpose} needs SciPy: run pip install 'keras-seq[data]'.") from None

"""Recurrent sequence models for Keras 3: cells one can see through, layers that are fast, recipes.

Importing the package imports no backend: each part is loaded when it is first used. Models that
have layers of the package can then be loaded by `keras.saving.load_model`.
"""

import importlib

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import find_saved_classes

__version__ = "0.1.0"

find_saved_classes()

__all__ = [
    "InputError",
    "cells",
    "data",
    "decoding",
    "demo",
    "export",
    "layers",
    "losses",
    "migration",
    "models",
    "scan",
    "serving",
    "text",
    "trace",
    "tracing",
    "train",
    "tuning",
]


def __getattr__(name):
    if name == "trace":
        return importlib.import_module(f"{__name__}.tracing").trace
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])

"""Recurrent sequence models for Keras 3: transparent cells, fast layers, decoding and recipes.

Importing the package imports no backend; subpackages are imported on first use. Afterwards
`keras.saving.load_model` loads models with layers of the package.
"""

import importlib
from typing import Any

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
    "load_run",
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


def __getattr__(name: str) -> Any:
    if name == "trace":
        return importlib.import_module(f"{__name__}.tracing").trace
    if name == "load_run":
        return importlib.import_module(f"{__name__}.train").load_run
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

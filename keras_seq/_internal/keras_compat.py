"""Private names of Keras that are changed, each with its reason."""

import functools
import importlib
from types import ModuleType
from typing import Any

import wrapt

PACKAGE = "keras_seq"
REGISTERING = ("layers", "losses", "models")
"""Parts of this package that register classes with Keras when they are imported."""


def find_saved_classes() -> None:
    """Let Keras load saved models after `import keras_seq` alone, which imports no backend.

    Keras looks up the classes of a saved model in its registry, and does not import the modules
    that the model names. So the first search for a class of this package imports those parts.
    """
    registry = "keras.src.saving.object_registration"
    wrapt.register_post_import_hook(_search_after_import, registry)


def _search_after_import(registry: ModuleType) -> None:
    search = registry.get_registered_object

    @functools.wraps(search)
    def get_registered_object(name: Any, *args: Any, **kwargs: Any) -> Any:
        if str(name).startswith(f"{PACKAGE}>"):
            for part in REGISTERING:
                importlib.import_module(f"{PACKAGE}.{part}")
        return search(name, *args, **kwargs)

    registry.get_registered_object = get_registered_object  # type: ignore[attr-defined]

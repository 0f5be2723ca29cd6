"""Registry of recipes, by name or by folder.

Packages register recipes under the entry-point group `keras_seq.recipes`. A folder on disk can be a
recipe too. Its code runs only if a command names it by a path with a separator (`./my_digits`).
Listing recipes and reading their configs imports no backend.
"""

import importlib.metadata
import importlib.util
import os
import re
import sys
from pathlib import Path

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.train.recipe_info import RecipeInfo

ENTRY_POINTS = "keras_seq.recipes"


def list_recipes() -> dict[str, RecipeInfo]:
    """Return all registered recipes by name."""
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: RecipeInfo(point.name, point.value) for point in points}


def find(name: str) -> RecipeInfo:
    """Return a registered recipe, or import the one in a folder.

    Args:
        name: Registered name, or a path with a separator, such as `./my_digits`. A folder in the
            current directory never replaces a registered recipe.

    Raises:
        InputError: If there is no such recipe.
    """
    if is_folder(name):
        return _import_folder(name)
    known = list_recipes()
    if name in known:
        return known[name]
    if (Path(name) / "config.py").is_file():
        raise InputError(
            f"There is no recipe {name!r}. For the recipe in the folder {name}, write "
            f".{os.sep}{name}."
        )
    raise unknown_name("recipe", name, known)


def is_folder(name: str) -> bool:
    """Return True if a command names a recipe by the path of a folder."""
    separators = [os.sep] if os.altsep is None else [os.sep, os.altsep]
    return name in (os.curdir, os.pardir) or any(separator in name for separator in separators)


def _import_folder(path: str) -> RecipeInfo:
    """Return the recipe in a folder, whose package is imported under a private name."""
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    if not (folder / "config.py").is_file():
        raise InputError(f"The folder {folder} is not a recipe: it has no config.py.")
    folder = folder.resolve()
    package = "keras_seq_recipe_in_folder_" + re.sub(r"\W", "_", folder.name)
    if package in sys.modules and sys.modules[package].__path__ != [str(folder)]:
        # The package was imported from another folder with the same name.
        for name in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
            del sys.modules[name]
    if package not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None  # the path ends with .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        spec.loader.exec_module(module)
    return RecipeInfo(folder.name, package, path)

"""Where recipes are found: by registered name, or by the path of a folder.

Packages register under the entry-point group `keras_seq.recipes`. A folder on disk is a recipe too,
which runs only where a command names it by a path with a separator (`./my_digits`). Listing recipes
and reading their configs imports no backend.
"""

import importlib.metadata
import importlib.util
import os
import re
import sys
from pathlib import Path

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.train.recipe import RecipeInfo

ENTRY_POINTS = "keras_seq.recipes"


def list_recipes() -> dict[str, RecipeInfo]:
    """Return all registered recipes by name."""
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: RecipeInfo(point.name, point.value) for point in points}


def find(name: str) -> RecipeInfo:
    """Return the recipe of a registered name, or the one in a folder, whose code runs now.

    Args:
        name: Registered name, or a path with a separator, such as `./my_digits`. A folder in the
            current directory never takes the place of a registered recipe.

    Raises:
        InputError: If there is none.
    """
    if is_folder(name):
        return _in_folder(name)
    known = list_recipes()
    if name in known:
        return known[name]
    if (Path(name) / "config.py").is_file():
        raise InputError(
            f"There is no recipe {name!r}: for that in the folder {name}, write .{os.sep}{name}."
        )
    raise unknown_name("recipe", name, known)


def is_folder(name: str) -> bool:
    """Return whether what a command calls a recipe is the path of a folder, not a name."""
    separators = [os.sep] if os.altsep is None else [os.sep, os.altsep]
    return name in (os.curdir, os.pardir) or any(separator in name for separator in separators)


def _in_folder(path: str) -> RecipeInfo:
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    if not (folder / "config.py").is_file():
        raise InputError(f"The folder {folder} is no recipe: it has no config.py.")
    folder = folder.resolve()
    package = "keras_seq_recipe_in_folder_" + re.sub(r"\W", "_", folder.name)
    if package in sys.modules and sys.modules[package].__path__ != [str(folder)]:
        # Another folder of the same name.
        for name in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
            del sys.modules[name]
    if package not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None  # for a path with .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        spec.loader.exec_module(module)
    return RecipeInfo(folder.name, package, path)

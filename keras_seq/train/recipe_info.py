"""Descriptions of recipes, without their code."""

import dataclasses
import functools
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq._internal import startup
from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.train import folds
from keras_seq.train.config import Config

if TYPE_CHECKING:
    from keras_seq.train.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class RecipeInfo:
    """Description of a recipe whose code is not imported yet.

    >>> from keras_seq.train import registry
    >>> info = registry.find("ner")
    >>> info.preset("default").monitor
    'f1'

    Args:
        name: Name on the command line.
        package: Import name of the package.
        path: Folder of a recipe that is not registered, as the command line names it, or None.
        fold: Fold that `Recipe.load_splits` returns, or None for the splits of the data.
    """

    name: str
    package: str
    path: str | None = None
    fold: folds.Fold | None = None

    @functools.cached_property
    def folder(self) -> Path:
        """Folder of the recipe."""
        file = importlib.import_module(self.package).__file__
        assert file is not None  # a recipe is a package with an `__init__.py`
        return Path(file).parent

    @property
    def description(self) -> str:
        """First line of the package's docstring."""
        return (importlib.import_module(self.package).__doc__ or "").strip().split("\n")[0]

    @property
    def presets(self) -> dict[str, Config]:
        """Config of each preset."""
        return importlib.import_module(f"{self.package}.config").PRESETS

    def preset(self, name: str) -> Config:
        """Return the Config of a preset.

        Raises:
            InputError: If the recipe has no such preset.
        """
        if name not in self.presets:
            raise unknown_name(f"preset of {self.name}", name, self.presets)
        return self.presets[name]

    @property
    def monitor(self) -> str:
        """Validation metric by which the recipe chooses."""
        return self.preset("default").monitor

    def field_names(self) -> list[str]:
        """Return the names of the fields of the recipe's Config."""
        return [field.name for field in dataclasses.fields(self.preset("default"))]

    @property
    def results(self) -> list[dict[str, Any]]:
        """Recorded results of the presets: content of `metrics.json` of each run."""
        path = self.folder / "results.json"
        return json.loads(path.read_text()) if path.exists() else []

    def import_recipe(self) -> "Recipe":
        """Import the recipe's code, and with it the backend.

        This registers the custom layers that a saved model of the recipe may have.

        Raises:
            InputError: If `recipe.py` has no class `Recipe`, or the class lacks a method.
        """
        if not (self.folder / "recipe.py").is_file():
            raise InputError(f"The recipe {self.folder} has no recipe.py.")
        startup.import_backend()
        module = importlib.import_module(f"{self.package}.recipe")
        recipe_class: Any = getattr(module, "Recipe", None)
        is_recipe = isinstance(recipe_class, type) and issubclass(recipe_class, RecipeInfo)
        if not is_recipe:
            raise InputError(
                f"{self.folder / 'recipe.py'} must define a class Recipe that extends "
                "keras_seq.train.recipe.Recipe."
            )
        if missing := sorted(recipe_class.__abstractmethods__):
            raise InputError(
                f"The class Recipe in {self.folder / 'recipe.py'} must define {', '.join(missing)}."
            )
        return recipe_class(self.name, self.package, self.path, self.fold)

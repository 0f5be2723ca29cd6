"""Fingerprints of the code and data of a run, which are checked before it resumes."""

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.train.recipe_info import RecipeInfo

Fingerprint = dict[str, Any]
"""JSON object with the keys `code`, `data` and `versions`, saved in `config.json`."""


def compute(recipe: RecipeInfo, splits: Mapping[str, RawExamples]) -> Fingerprint:
    """Return the fingerprint of a recipe's code, its data and the package versions.

    Args:
        recipe: Recipe.
        splits: Examples by split, as the recipe loads them.
    """
    return {"code": hash_code(recipe), "data": hash_data(splits), "versions": package_versions()}


def hash_code(recipe: RecipeInfo) -> dict[str, str]:
    """Return the SHA-256 of each Python file of a recipe, by its path in the recipe's folder."""
    files = sorted(recipe.folder.rglob("*.py"))
    return {
        file.relative_to(recipe.folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def hash_data(splits: Mapping[str, RawExamples]) -> dict[str, dict[str, Any]]:
    """Return the number of examples and the SHA-256 of their content, by split.

    Paths and modification times of files do not matter.
    """
    return {
        name: {
            "examples": len(examples),
            "sha256": hashlib.sha256(_to_json(examples).encode()).hexdigest(),
        }
        for name, examples in splits.items()
    }


def _to_json(examples: RawExamples) -> str:
    return json.dumps([examples.inputs, examples.targets], default=_describe)


def _describe(value: Any) -> Any:
    """Return a JSON value for an array or another object in an example."""
    array = np.asarray(value)
    if array.dtype != object:
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return [array.dtype.str, array.shape, hashlib.sha256(content.data).hexdigest()]
    # Only the type of an unknown object is the same in another process.
    return value.tolist() if isinstance(value, np.ndarray) else type(value).__qualname__


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    packages = ("keras", "keras-seq", "numpy", "tensorflow")
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def check_code(stored: Fingerprint, recipe: RecipeInfo, run_folder: str | os.PathLike[str]) -> None:
    """Check that the code of a recipe has not changed since a run was started.

    Args:
        stored: Fingerprint at the start of the run, empty for runs of older versions.
        recipe: Recipe.
        run_folder: Folder of the run.

    Raises:
        InputError: If a Python file of the recipe was changed, added or removed.
    """
    before, now = stored.get("code"), hash_code(recipe)
    if before is None or before == now:
        return
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    raise InputError(
        f"{run_folder} was started with other code of the recipe {recipe.name}. Changed since: "
        f"{', '.join(changed)}. Restore the code, or start another run with --run."
    )


def check(
    stored: Fingerprint,
    current: Fingerprint,
    recipe: RecipeInfo,
    run_folder: str | os.PathLike[str],
) -> None:
    """Check that code and data have not changed since a run was started.

    Print a warning if package versions have changed.

    Args:
        stored: Fingerprint at the start of the run, empty for runs of older versions.
        current: Fingerprint of the current code and data.
        recipe: Recipe.
        run_folder: Folder of the run.

    Raises:
        InputError: If the code or the data has changed.
    """
    check_code(stored, recipe, run_folder)
    if difference := compare_data(stored, current["data"]):
        raise InputError(
            f"{run_folder} was started with other data: {difference}. Restore the data, or "
            "start another run with --run."
        )
    changed = [
        f"{name} {version} (now {current['versions'].get(name, 'missing')})"
        for name, version in stored.get("versions", {}).items()
        if current["versions"].get(name) != version
    ]
    if changed:
        print(
            f"keras-seq: warning: {run_folder} was started with {', '.join(changed)}. The "
            "metrics may differ from those of an uninterrupted run.",
            file=sys.stderr,
        )


def compare_data(stored: Fingerprint, current: dict[str, dict[str, Any]]) -> str | None:
    """Return a description of the first split that has changed, or None.

    Args:
        stored: Fingerprint at the start of the run, empty for runs of older versions.
        current: Result of `hash_data` for the current data.
    """
    before = stored.get("data", current)
    for split in {**before, **current}:
        was, now = before.get(split), current.get(split)
        if was is None or now is None:
            return f"the {split} split is {'new' if was is None else 'missing'}"
        if was["examples"] != now["examples"]:
            return f"the {split} split had {was['examples']} examples and has {now['examples']}"
        if was != now:
            return f"the {now['examples']} examples of the {split} split have changed"
    return None

"""Fingerprints of what a run is trained from, which tell whether it can go on."""

import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.train.recipe import RecipeInfo

Fingerprint = dict[str, Any]
"""JSON object under "fingerprint" in `config.json`, with the keys `code`, `data` and `versions`."""


def compute(recipe: RecipeInfo, splits: Mapping[str, RawExamples]) -> Fingerprint:
    """Return the fingerprint of a recipe's code, of its data and of the packages.

    Args:
        recipe: RecipeInfo.
        splits: Examples by split, as the recipe loads them.
    """
    return {"code": hash_code(recipe), "data": hash_data(splits), "versions": package_versions()}


def hash_code(recipe: RecipeInfo) -> dict[str, str]:
    """Return the SHA-256 of every Python file of a recipe, by its path in the recipe's folder."""
    files = sorted(recipe.folder.rglob("*.py"))
    return {
        file.relative_to(recipe.folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def hash_data(splits: Mapping[str, RawExamples]) -> dict[str, dict[str, Any]]:
    """Return the number of examples and a SHA-256 of their content, by split.

    The content counts, not the files: the same data at another place, or with another time of
    change, has the same fingerprint.
    """
    return {
        name: {
            "examples": len(examples),
            "sha256": hashlib.sha256(_text(examples).encode()).hexdigest(),
        }
        for name, examples in splits.items()
    }


def _text(examples: RawExamples) -> str:
    return json.dumps([examples.inputs, examples.targets], default=_describe)


def _describe(value: Any) -> Any:
    """Return what JSON can hold in place of an array or object that is part of an example."""
    array = np.asarray(value)
    if array.dtype != object:
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return [array.dtype.str, array.shape, hashlib.sha256(content.data).hexdigest()]
    # Of an unknown object nothing but its type is the same in another process.
    return value.tolist() if isinstance(value, np.ndarray) else type(value).__qualname__


def package_versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    packages = ("keras", "keras-seq", "numpy", "tensorflow")
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def check_code(stored: Fingerprint, recipe: RecipeInfo, place: Any) -> None:
    """Refuse to go on with code that is not that of the start.

    Args:
        stored: Fingerprint of the start; empty for runs of older versions, which had none.
        recipe: RecipeInfo as it is now.
        place: Folder of the run.

    Raises:
        InputError: If a Python file of the recipe was changed, added or removed.
    """
    before, now = stored.get("code"), hash_code(recipe)
    if before is None or before == now:
        return
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    raise InputError(
        f"{place} was started with other code of the recipe {recipe.name}: {', '.join(changed)} "
        "changed since; put the code back, or start another run with --run."
    )


def check(stored: Fingerprint, current: Fingerprint, recipe: RecipeInfo, place: Any) -> None:
    """Refuse to go on with other code or data than at the start; warn of other packages.

    Args:
        stored, recipe, place: As for `check_code`.
        current: Fingerprint as it is now.

    Raises:
        InputError: If the recipe's code or its data is not that of the start.
    """
    check_code(stored, recipe, place)
    if difference := compare_data(stored, current["data"]):
        raise InputError(
            f"{place} was started with other data: {difference}; put the data back, or start "
            "another run with --run."
        )
    changed = [
        f"{name} {version} (now {current['versions'].get(name, 'missing')})"
        for name, version in stored.get("versions", {}).items()
        if current["versions"].get(name) != version
    ]
    if changed:
        print(
            f"keras-seq: warning: {place} was started with {', '.join(changed)}; the metrics may "
            "differ from those of an undisturbed run.",
            file=sys.stderr,
        )


def compare_data(stored: Fingerprint, current: dict[str, dict[str, Any]]) -> str | None:
    """Return a clause on the first split that is not what it was, or None.

    Args:
        stored: Fingerprint of the start; empty for runs of older versions, which had none.
        current: What `hash_data` returns now.
    """
    before = stored.get("data", current)
    for split in {**before, **current}:
        was, now = before.get(split), current.get(split)
        if was is None or now is None:
            return f"the {split} split is {'new' if was is None else 'missing'}"
        if was["examples"] != now["examples"]:
            return f"the {split} split had {was['examples']} examples and has {now['examples']}"
        if was != now:
            return f"the {now['examples']} examples of the {split} split have other content"
    return None

"""Files with the fields of a Config: the `config.json` of a run, or a file that a user writes."""

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.train import registry
from keras_seq.train.recipe import RecipeInfo


def read_config_file(path: str | os.PathLike[str], recipe: RecipeInfo | str) -> dict[str, Any]:
    r"""Return the arguments of `keras_seq.train` that a file has.

    >>> import pathlib, tempfile
    >>> from keras_seq.train import read_config_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "settings.toml")
    ...     _ = path.write_text("units = 64\\\\ndropout = 0.4")
    ...     read_config_file(path, "ner")
    {'units': 64, 'dropout': 0.4}

    Args:
        path: `config.json` of a run; or a JSON object or flat TOML table of fields, and `preset` if
            another preset than the default sets the other fields. The suffix is .json or .toml.
        recipe: Recipe, or its name, or the path of its folder.

    Returns:
        Fields of the recipe's Config, and `preset` if the file has it.

    Raises:
        InputError: If the file is not in its format, it is from a run of another recipe, or a field
            is unknown or has a value that is not valid.
    """
    path = Path(path)
    info = registry.find(recipe) if isinstance(recipe, str) else recipe
    content = _parse(path)
    if "recipe" in content and "config" in content:
        if (name := Path(str(content["recipe"])).name) != info.name:
            raise InputError(f"{path} is from a run of the recipe {name}, not of {info.name}.")
        preset = content.get("preset", "default")
        content = {"preset": preset, **_check_object(content["config"], path)}
    fields = {name: value for name, value in content.items() if name != "preset"}
    try:
        if unknown := [name for name in fields if name not in info.field_names()]:
            raise unknown_name(f"field of {info.name}", unknown[0], info.field_names())
        info.preset(content.get("preset", "default")).override(**fields)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return content


def _parse(path: Path) -> dict[str, Any]:
    """Return the content of a JSON or TOML file."""
    parsers: dict[str, Callable[[str], Any]] = {
        ".json": lambda text: json.loads(text, object_pairs_hook=_to_object),
        ".toml": tomllib.loads,
    }
    suffix = path.suffix.lower()
    if suffix not in parsers:
        raise InputError(
            f"The file of settings must end with .json or .toml, got {path}. For the settings of a "
            "run, name its config.json."
        )
    try:
        content = parsers[suffix](path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not {suffix[1:].upper()} in UTF-8: {error}.") from error
    return _check_object(content, path)


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        [repeated, *_] = [name for name in content if names.count(name) > 1]
        raise ValueError(f"the key {repeated!r} is repeated")
    return content


def _check_object(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputError(f"{path} must have an object of fields, got {content!r:.60}.")
    return content

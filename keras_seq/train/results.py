"""The recorded results of the recipes' presets, and the tables made of them."""

import dataclasses
import json
from collections.abc import Mapping
from statistics import mean
from typing import Any

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import exclusive_lock, write_json
from keras_seq.train.config import Config
from keras_seq.train.metrics import numbers
from keras_seq.train.recipe import RecipeInfo

LOCK_SECONDS = 60.0
"""Longest wait for other runs that record a result of the same recipe, in seconds."""


def record(recipe: RecipeInfo, metrics: Mapping[str, Any], config: Config) -> None:
    """Add the metrics of a finished run to the results of its recipe, with all its settings.

    Raises:
        InputError: As `check_recordable`, if another run was recorded meanwhile.
    """
    keys = ("preset", "seed")
    with exclusive_lock(recipe.folder, timeout=LOCK_SECONDS):
        check_recordable(recipe, metrics["preset"], config, test=True)
        rows = [*recipe.results, {**metrics, "config": dataclasses.asdict(config)}]
        rows.sort(key=lambda row: [row[key] for key in keys])
        write_json(recipe.folder / "results.json", rows)


def check_recordable(recipe: RecipeInfo, preset: str, config: Config, test: bool) -> None:
    """Refuse to record what is not a preset as it stands, or what is recorded already.

    Args:
        recipe, preset, config: Those of the run.
        test: Whether the test split is measured, of which results are.

    Raises:
        InputError: If it is one of these, or the test split is not measured.
    """
    if dataclasses.replace(config, seed=0) != dataclasses.replace(recipe.preset(preset), seed=0):
        raise InputError("--record takes a preset as it is; only --seed may differ.")
    if not test:
        raise InputError("--record records the result on the test split.")
    for row in current_rows(recipe):
        if (row["preset"], row["seed"]) == (preset, config.seed):
            raise InputError(
                f"The result of preset {preset!r} with seed {config.seed} is recorded in "
                f"{recipe.folder / 'results.json'}; the first reading stands."
            )


def current_rows(recipe: RecipeInfo) -> list[dict[str, Any]]:
    """Return the results of presets as they stand: what had other settings is of the past.

    A row without settings was recorded before they were noted, of a preset that has not changed.
    """
    rows = []
    for row in recipe.results:
        if row["preset"] in recipe.presets:
            preset = dataclasses.replace(recipe.preset(row["preset"]), seed=row["seed"])
            now = json.loads(json.dumps(dataclasses.asdict(preset)))  # lists for tuples
            if row.get("config", now) == now:
                rows.append(row)
    return rows


def summarize(recipe: RecipeInfo) -> list[tuple[str, str, str, str]]:
    """Return for each preset its name, number of seeds, mean test metrics and mean minutes."""
    rows = current_rows(recipe)
    lines = []
    for preset in dict.fromkeys(row["preset"] for row in rows):
        runs = [row for row in rows if row["preset"] == preset]
        names = numbers(runs[0]["test"])  # details such as those per label would be too much here
        metrics = [f"{name} {mean(run['test'][name] for run in runs):.3f}" for name in names]
        minutes = mean(run["seconds"] for run in runs) / 60
        lines.append((preset, str(len(runs)), ", ".join(metrics), f"{minutes:.1f}"))
    return lines

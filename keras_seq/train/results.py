"""Recorded results of the recipes' presets, and their summary."""

import dataclasses
import json
from collections.abc import Mapping
from statistics import mean
from typing import Any, NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import exclusive_lock, write_json
from keras_seq.train.config import Config
from keras_seq.train.metrics import numbers
from keras_seq.train.recipe_info import RecipeInfo

LOCK_SECONDS = 60.0
"""Maximum time to wait for other runs that record results of the same recipe, in seconds."""


def record(recipe: RecipeInfo, metrics: Mapping[str, Any], config: Config) -> None:
    """Add the metrics and config of a finished run to the results of its recipe.

    Args:
        recipe: Recipe of the run.
        metrics: Content of `metrics.json`.
        config: Config of the run.

    Raises:
        InputError: If the same preset and seed have been recorded in the meantime.
    """
    keys = ("preset", "seed")
    with exclusive_lock(recipe.folder, timeout=LOCK_SECONDS):
        check_recordable(recipe, metrics["preset"], config, test=True)
        rows = [*recipe.results, {**metrics, "config": dataclasses.asdict(config)}]
        rows.sort(key=lambda row: [row[key] for key in keys])
        write_json(recipe.folder / "results.json", rows)


def check_recordable(recipe: RecipeInfo, preset: str, config: Config, test: bool) -> None:
    """Check that the result of a run can be recorded.

    Args:
        recipe: Recipe of the run.
        preset: Name of its preset.
        config: Config of the run.
        test: Whether the run is evaluated on the test split.

    Raises:
        InputError: If the config differs from the preset, the test split is not evaluated, or a
            result of the same preset and seed is recorded already.
    """
    if dataclasses.replace(config, seed=0) != dataclasses.replace(recipe.preset(preset), seed=0):
        raise InputError("--record needs an unchanged preset. Only --seed may differ.")
    if not test:
        raise InputError("--record needs a result on the test split.")
    for row in current_rows(recipe):
        if (row["preset"], row["seed"]) == (preset, config.seed):
            raise InputError(
                f"The result of preset {preset!r} with seed {config.seed} is already recorded in "
                f"{recipe.folder / 'results.json'}. A second result is not recorded."
            )


def current_rows(recipe: RecipeInfo) -> list[dict[str, Any]]:
    """Return the results that were recorded with the current settings of their presets.

    Rows without a config are from older versions. Their presets have not changed since.
    """
    rows = []
    for row in recipe.results:
        if row["preset"] in recipe.presets:
            preset = dataclasses.replace(recipe.preset(row["preset"]), seed=row["seed"])
            now = json.loads(json.dumps(dataclasses.asdict(preset)))  # tuples become lists
            if row.get("config", now) == now:
                rows.append(row)
    return rows


class Summary(NamedTuple):
    """Results of a preset, as text."""

    preset: str
    num_seeds: str
    metrics: str
    """Mean test metrics."""
    minutes: str
    """Mean minutes of training."""
    machines: str
    """Processor, cores and GPUs; empty for results of versions that did not record them."""


def summarize(recipe: RecipeInfo) -> list[Summary]:
    """Return a summary of the current results of each preset."""
    rows = current_rows(recipe)
    lines = []
    for preset in dict.fromkeys(row["preset"] for row in rows):
        runs = [row for row in rows if row["preset"] == preset]
        # Older runs have fewer metrics.
        names = [name for name in numbers(runs[0]["test"]) if all(name in r["test"] for r in runs)]
        metrics = [f"{name} {mean(run['test'][name] for run in runs):.3f}" for name in names]
        minutes = mean(run["seconds"] for run in runs) / 60
        machines = "; ".join(dict.fromkeys(run["machine"] for run in runs if "machine" in run))
        text = ", ".join(metrics)
        lines.append(Summary(preset, str(len(runs)), text, f"{minutes:.1f}", machines))
    return lines

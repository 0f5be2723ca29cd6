"""`keras-seq runs`."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from keras_seq._internal import files
from keras_seq._internal.errors import InputError
from keras_seq.cli._common import RUNS, RunsOption, app, as_cell, console, make_table
from keras_seq.train import registry
from keras_seq.train.metrics import flatten, numbers
from keras_seq.train.runs import REMEDY, Run

FACTS = ("parameters", "epochs", "seconds")
"""Facts about the training in `metrics.json` that a comparison shows."""

ALTERNATIVES = {"steps", "epochs"}
"""Fields that do not apply if only the other one is given."""


@app.command(name="runs")
def list_runs(*folders: Path, runs_folder: RunsOption = RUNS) -> None:
    """List the runs with their settings and results, or compare runs.

    Args:
        folders: Folders of runs to compare. Default: list all runs.
        runs_folder: Folder of all runs.
    """
    if folders:
        _compare([Run(folder) for folder in folders])
        return
    folders_of_runs = sorted(path.parent for path in runs_folder.glob("*/*/config.json"))
    if not folders_of_runs:
        raise InputError(f"There are no runs in {runs_folder}. Name their folder with --runs.")
    table = make_table("run", "preset", "changed settings", "data", "validation", "test", "minutes")
    for folder in folders_of_runs:
        table.add_row(*map(as_cell, (str(folder), *_describe(Run(folder)))))
    console.print(table)


def _describe(run: Run) -> list[str]:
    """Return the columns of a run in the list of runs."""
    try:
        preset, config = run.read_settings()
        data = str(config.get("data", ""))
        changed = _changed_fields(run, preset, config)
        if not run.is_finished:
            return [preset, changed, data, "not finished", "", ""]
        metrics = run.metrics
        with files.expect_content(run.folder / "metrics.json", "the metrics of a run", REMEDY):
            minutes = f"{metrics.get('seconds', 0) / 60:.1f}"
            results = [_headline(metrics.get(split, {})) for split in ("validation", "test")]
            if "folds" in metrics:
                results[0] = _headline_of_folds(metrics)
    except InputError as error:
        return ["", str(error), "", "damaged", "", ""]
    return [preset, changed, data, *results, minutes]


def _changed_fields(run: Run, preset: str, config: Mapping[str, Any]) -> str:
    """Return the fields of a config that differ from its preset, as options."""
    recipe = registry.list_recipes().get(run.recipe_name)
    if recipe is None or preset not in recipe.presets:
        return ""
    defaults = json.loads(json.dumps(dataclasses.asdict(recipe.preset(preset))))
    return " ".join(
        f"--{name.replace('_', '-')} {value}"
        for name, value in config.items()
        if name != "data"
        and value != defaults.get(name, value)
        and not (name in ALTERNATIVES and value is None)
    )


def _headline(metrics: Mapping[str, Any]) -> str:
    """Return the first metric of a split as text."""
    return "".join(f"{name} {value:.4f}" for name, value in list(numbers(metrics).items())[:1])


def _headline_of_folds(metrics: Mapping[str, Any]) -> str:
    """Return the first metric of a cross-validation as text."""
    name = next(iter(numbers(metrics["by_fold"][0])))
    row = metrics["summary"][name]
    return f"{name} {row['mean']:.4f} ± {row['standard_deviation']:.4f} in {metrics['folds']} folds"


def _compare(runs: list[Run]) -> None:
    """Print the settings that differ between runs, and all their metrics."""
    settings_of_runs, metrics_of_runs = [], []
    for run in runs:
        preset, config = run.read_settings()
        settings = {"recipe": run.recipe_name, "preset": preset, **config}
        metrics = run.metrics if run.is_finished else {}
        split_metrics: dict[str, Any] = {
            name: metrics[name] for name in ("validation", "test", "summary") if name in metrics
        }
        facts = {name: str(metrics[name]) for name in FACTS if name in metrics}
        settings_of_runs.append(settings)
        metrics_of_runs.append(flatten(split_metrics) | facts)
    table = make_table("", *(escape(str(run.folder)) for run in runs))
    for name, values in _transpose(settings_of_runs).items():
        if any(value != values[0] for value in values):
            table.add_row(name, *(as_cell(_format(value)) for value in values))
    table.add_section()
    for name, values in _transpose(metrics_of_runs).items():
        table.add_row(name, *(as_cell(_format(value)) for value in values))
    console.print(table)


def _transpose(columns: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of each name in all columns, with "" for a missing one."""
    names = dict.fromkeys(name for column in columns for name in column)
    return {name: [column.get(name, "") for column in columns] for name in names}


def _format(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)

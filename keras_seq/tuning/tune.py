"""Tuning of a recipe: a search, then the training of the best config."""

import dataclasses
import functools
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import read_checked_json, write_checked_json, write_csv
from keras_seq._internal.ranges import Range
from keras_seq.train import fingerprints, loop, plots
from keras_seq.train.config import Config
from keras_seq.train.distribution import Devices, tuning_role
from keras_seq.train.progress import trial_progress
from keras_seq.train.recipe import Recipe
from keras_seq.train.reporter import SILENT, Reporter
from keras_seq.train.runs import Run
from keras_seq.tuning.cluster import (
    KERASTUNER_VARIABLES,
    LOCAL_WORKER,
    describe_devices,
    run_trials,
    run_worker,
    serve_workers,
    start_worker,
    visible_gpus,
)
from keras_seq.tuning.search import HYPERBAND_ROUND_TRIALS, Search, Strategy, make_oracle
from keras_seq.tuning.space import make_hyperparameters, trial_values
from keras_seq.tuning.trial import Trainer

Restart = Callable[[], None] | None
"""Function that replaces this process by one that continues the search, or None."""


def tune(
    recipe: Recipe,
    preset: str,
    config: Config,
    run: Run,
    arguments: Sequence[str],
    *,
    search: Strategy = "random",
    trials: int = 20,
    fields: Iterable[str] | None = None,
    workers: int | None = None,
    devices: Devices | None = None,
    restart: Restart = None,
    reporter: Reporter = SILENT,
) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Search, or resume the search in the run's folder, and train the best config.

    Args:
        recipe: Recipe.
        preset: Name of the preset that the config was derived from.
        config: Config with the values of the first trial and of the fields that are not tuned.
        run: New or interrupted run.
        arguments: Words after `keras-seq tune`, which are saved with the metrics, and with which
            workers are started.
        search: Search strategy.
        trials: Number of trials, at least 1. Hyperband rounds it to whole rounds.
        fields: Names of the fields to tune. Default: all tunable fields.
        workers: Number of parallel worker processes on this machine, at least 1. Default: one per
            GPU if there are several, else none.
        devices: Devices on which trials run one at a time. Default: the one that TensorFlow
            selects.
        restart: Function that replaces this process by one that continues the search, to free
            memory. Default: the process is never replaced.
        reporter: Reporter of the trials and of the training. Default: nothing is printed.

    Returns:
        The metrics of the best config, and the rows of the table of trials, the best first. None
        if this process is a worker of a chief.

    Raises:
        InputError: If the settings are not valid, or differ from those of the interrupted search.
    """
    role = tuning_role()
    _check_options(trials, workers, devices, role is not None)
    if search == "hyperband":
        trials = HYPERBAND_ROUND_TRIALS * max(1, round(trials / HYPERBAND_ROUND_TRIALS))
    space = make_hyperparameters(config, fields)
    folder = run.folder / "tuning"
    trainer = Trainer(recipe, preset, config, folder, devices)
    gpus = visible_gpus()
    if role == "worker":
        reporter.report_text(describe_devices(gpus))
        run_worker(make_oracle(search, None, space, trials, config), trainer, restart)
        return None
    settings = {
        **dataclasses.asdict(config),
        "search": search,
        "trials": trials,
        "fields": sorted(field.name for field in space.space),
    }
    reporter.start_phase("reading the data")
    _start(recipe, config, run, folder / "settings.json", settings)
    if workers is None:
        workers = len(gpus) if len(gpus) > 1 and devices is None else 0
    start = functools.partial(start_worker, arguments, gpus)
    reporter.start_phase("searching")
    on_progress = trial_progress(reporter, trials)
    oracle = make_oracle(search, folder / "search.json", space, trials, config, on_progress)
    if role == "chief":
        address = ":".join(os.environ[name] for name in KERASTUNER_VARIABLES[1:])
        on_progress(oracle.num_done, f"Waiting for workers at {address}.")
        serve_workers(oracle, address)
    elif workers:
        on_progress(oracle.num_done, f"{describe_devices(gpus)}, {workers} in parallel")
        serve_workers(oracle, "127.0.0.1:0", start, workers)
    else:
        on_progress(oracle.num_done, describe_devices(gpus))
        run_trials(oracle, "tuner0", trainer, restart)
    rows = _write_table(oracle, config, run.folder)
    best = config.override(**trial_values(oracle.completed[0]))
    for trial in folder.glob("trial_*"):
        Run(trial).remove_checkpoint()
    command = shlex.join(["keras-seq", "tune", *arguments])
    metrics = loop.train(recipe, preset, best, run, command, devices=devices, reporter=reporter)
    assert metrics is not None  # only multiworker training returns None
    reporter.report_result(run.folder, metrics)
    return metrics, rows


def _check_options(
    trials: int, workers: int | None, devices: Devices | None, in_cluster: bool
) -> None:
    """Check options that exclude each other, and their ranges.

    Raises:
        InputError: If options are not valid.
    """
    if in_cluster and workers is not None and LOCAL_WORKER not in os.environ:
        raise InputError(
            "--workers starts workers on one machine. Leave it out, or unset "
            f"{KERASTUNER_VARIABLES[0]}."
        )
    if devices is not None and workers is not None:
        raise InputError(
            "--workers runs trials in parallel, --distribute one at a time. Use one of them."
        )
    for option, value in (("--trials", trials), ("--workers", workers)):
        if value is not None:
            Range(1, is_integer=True).check(option, value)


def _start(recipe: Recipe, config: Config, run: Run, path: Path, settings: dict[str, Any]) -> None:
    """Save the settings and fingerprint of a new search, or check those of a resumed one.

    Raises:
        InputError: If they differ, the folder holds another run, or there is no validation split.
    """
    stored = _check_settings(run, path, settings)
    fingerprints.check_code(stored, recipe, run.folder)
    splits = recipe.load_splits(config)  # before the workers do, because it may prepare the data
    if "validation" not in splits:
        raise InputError(
            f"Tuning needs a validation split, which the data {config.data!r} does not have."
        )
    current = fingerprints.compute(recipe, splits)
    fingerprints.check(stored, current, recipe, run.folder)
    if not path.exists():
        write_checked_json(path, settings | {"fingerprint": current})


def _check_settings(run: Run, path: Path, settings: dict[str, Any]) -> fingerprints.Fingerprint:
    """Check that the folder is new or holds a search with the same settings.

    Returns:
        Fingerprint at the start of the search, empty for a new search.

    Raises:
        InputError: If the folder holds another run, or the settings differ.
    """
    if run.is_finished or (run.is_started and not path.exists()):
        run.ensure_new()
    if not path.exists():
        return {}
    stored = read_checked_json(path, "restore it from a copy, or choose another name with --run")
    for name, value in settings.items():
        if stored.get(name) != value:
            option = name.replace("_", "-")
            raise InputError(
                f"{run.folder} was tuned with --{option} {stored.get(name)}, not {value}. Choose "
                "another name with --run."
            )
    return stored.get("fingerprint", {})


def _write_table(oracle: Search, config: Config, folder: Path) -> list[dict[str, Any]]:
    """Write and plot the table of trials. Return its rows, the best first."""
    if not oracle.completed:
        message = oracle.trials[oracle.end_order[-1]].message or "see the messages above"
        raise InputError(f"All trials of {folder} failed, the last one with: {message}")
    rows = [oracle.make_row(trial) for trial in oracle.completed]
    spaces, parameters = config.spaces(), oracle.hyperparameters.space
    plots.parallel_coordinates(
        rows,
        {parameter.name: spaces[parameter.name].log for parameter in parameters},
        oracle.objective.name,
        config.mode,
        folder / "trials.png",
    )
    rows += [oracle.make_row(trial) for trial in oracle.trials.values() if trial.status == "FAILED"]
    write_csv(folder / "trials.csv", rows)
    return rows

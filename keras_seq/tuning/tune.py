"""A whole tuning: the search, then the training of the best that it found."""

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import read_checked_json, write_checked_json, write_csv
from keras_seq.train import checkpoints, fingerprints, loop, plots, progress
from keras_seq.train.config import Config
from keras_seq.train.distribution import tuning_role
from keras_seq.train.recipe import Recipe
from keras_seq.train.runs import Run
from keras_seq.tuning.cluster import (
    CLUSTER,
    LOCAL,
    describe_devices,
    run_trials,
    run_worker,
    serve_workers,
    start_worker,
    visible_gpus,
)
from keras_seq.tuning.search import HYPERBAND_ROUND_TRIALS, make_oracle
from keras_seq.tuning.space import make_hyperparameters, trial_values
from keras_seq.tuning.trial import Trainer


def tune(
    recipe,
    preset,
    config,
    run,
    command,
    arguments,
    *,
    search="random",
    trials=20,
    fields=None,
    workers=None,
    devices=None,
    restart=None,
):
    """Searches, or goes on with the search that the run's folder holds, and trains the best.

    Args:
        recipe, preset, config, run, command: As for `keras_seq.train.loop.train`. The config
            has the values of what is not tuned, and those of the first trial.
        arguments: After `keras-seq tune`, to start workers with.
        search: "random", "bayesian" or "hyperband".
        trials: How many to try; Hyperband takes the nearest number of whole rounds.
        fields: Names of the fields to tune; by default all that are tunable.
        workers: Processes on this machine to work side by side; by default one a GPU, if there are
            several.
        devices: `keras_seq.train.distribution.Devices`, for one trial at a time, on all of them.
        restart: Function that replaces this process by a new one with the same search, called when
            trials have left much in memory. Without it, memory grows.

    Returns:
        The metrics of the best config, as `train` returns them, and a list of dicts, a row a trial,
        the best first. None, if this process is a worker of a chief elsewhere.

    Raises:
        InputError: The settings make no sense, or are not those that the search began with.
    """
    role = tuning_role()
    if role is not None and workers is not None and LOCAL not in os.environ:
        raise InputError(f"--workers starts workers on one machine; it takes no {CLUSTER[0]}.")
    if devices is not None and workers is not None:
        raise InputError(
            "--workers tries side by side, --distribute one after the other: not both."
        )
    for option, value in (("--trials", trials), ("--workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{option} must be at least 1.")
    if search == "hyperband":
        trials = HYPERBAND_ROUND_TRIALS * max(1, round(trials / HYPERBAND_ROUND_TRIALS))
    space = make_hyperparameters(config, fields)
    folder = run.folder / "tuning"
    trainer = Trainer(recipe, preset, config, folder, devices)
    gpus = visible_gpus()
    if role == "worker":
        print(describe_devices(gpus))
        run_worker(make_oracle(search, None, space, trials, config), trainer, restart)
        return None
    settings = {
        **dataclasses.asdict(config),
        "search": search,
        "trials": trials,
        "fields": sorted(field.name for field in space.space),
    }
    _start(recipe, config, run, folder / "settings.json", settings)
    if workers is None:
        workers = len(gpus) if len(gpus) > 1 and devices is None else 0
    with progress.trial_progress(trials) as on_progress:
        oracle = make_oracle(search, folder / "search.json", space, trials, config, on_progress)
        if role == "chief":
            address = ":".join(os.environ[name] for name in CLUSTER[1:])
            on_progress(oracle.num_done, f"Workers are awaited at {address}.")
            serve_workers(oracle, address)
        elif workers:
            on_progress(oracle.num_done, f"{describe_devices(gpus)}, {workers} side by side")
            start = functools.partial(start_worker, arguments, gpus)
            serve_workers(oracle, "127.0.0.1:0", start, workers)
        else:
            on_progress(oracle.num_done, describe_devices(gpus))
            run_trials(oracle, "tuner0", trainer, restart)
    rows = _table(oracle, config, run.folder)
    best = dataclasses.replace(config, **trial_values(oracle.completed[0]))
    for trial in folder.glob("trial_*"):
        checkpoints.remove(Run(trial).checkpoint_path)
    return loop.train(recipe, preset, best, run, command, devices=devices), rows


def _start(recipe: Recipe, config: Config, run: Run, path: Path, settings: dict[str, Any]) -> None:
    """Note the settings, code and data of a search that begins, or compare with those noted.

    Raises:
        InputError: If they are not those noted, the folder holds another run, or the data has no
            validation split.
    """
    stored = _check_settings(run, path, settings)
    fingerprints.check_code(stored, recipe, run.folder)
    splits = recipe.load(config)  # before workers do, since it may be prepared here
    if "validation" not in splits:
        raise InputError(
            f"Tuning chooses by the validation split, and the data {config.data!r} has none."
        )
    current = fingerprints.compute(recipe, splits)
    fingerprints.check(stored, current, recipe, run.folder)
    if not path.exists():
        write_checked_json(path, settings | {"fingerprint": current})


def _check_settings(run: Run, path: Path, settings: dict[str, Any]) -> fingerprints.Fingerprint:
    """Refuse other settings than the search began with, and a folder in which another run lies.

    Returns:
        The fingerprint that the search began with; empty for a search that begins.
    """
    if run.is_finished or (run.is_started and not path.exists()):
        run.ensure_new()
    if not path.exists():
        return {}
    was = read_checked_json(path, "restore it from a copy, or choose another name with --run")
    for name, value in settings.items():
        if was.get(name) != value:
            option = name.replace("_", "-")
            raise InputError(
                f"{run.folder} was tuned with --{option} {was.get(name)}, not {value}; choose "
                "another name with --run."
            )
    return was.get("fingerprint", {})


def _table(oracle, config, folder):
    """The rows of all trials, the best first; writes them into the folder, and draws them."""
    if not oracle.completed:
        why = oracle.trials[oracle.end_order[-1]].message or "see above"
        raise InputError(f"No trial of {folder} ended well; the last: {why}")
    rows = [oracle.make_row(trial) for trial in oracle.completed]
    logarithmic = {name: found.log for name, found in type(config).spaces().items()}
    plots.parallel_coordinates(
        rows,
        {field.name: logarithmic[field.name] for field in oracle.hyperparameters.space},
        oracle.objective.name,
        config.mode,
        folder / "trials.png",
    )
    rows += [oracle.make_row(trial) for trial in oracle.trials.values() if trial.status == "FAILED"]
    write_csv(folder / "trials.csv", rows)
    return rows

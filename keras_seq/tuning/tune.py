"""A whole tuning: the search, then the training of the best that it found."""

import dataclasses
import functools
import json
import os

from keras_seq import pictures, progress, runs, training
from keras_seq.errors import InputError
from keras_seq.tuning.cluster import (
    CLUSTER,
    LOCAL,
    cluster_role,
    gpus_seen,
    serve,
    start_worker,
    where,
    work,
    work_for_the_chief,
)
from keras_seq.tuning.search import HYPERBAND_ROUND, make_oracle
from keras_seq.tuning.space import space_of, values_of
from keras_seq.tuning.trial import Trainer


def tune(
    recipe,
    named,
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
    afresh=None,
):
    """Searches, or goes on with the search that the run's folder holds, and trains the best.

    Args:
        recipe, named, preset, config, run, command: As for `keras_seq.training.train`. The config
            has the values of what is not tuned, and those of the first trial.
        arguments: After `keras-seq tune`, to start workers with.
        search: "random", "bayesian" or "hyperband".
        trials: How many to try; Hyperband takes the nearest number of whole rounds.
        fields: Names of the fields to tune; by default all that are tunable.
        workers: Processes on this machine to work side by side; by default one a GPU, if there are
            several.
        devices: `keras_seq.distribution.Devices`, for one trial at a time, on all of them.
        afresh: Called when trials have left much in memory; begins the same search in place of this
            process. Where there is none, memory grows.

    Returns:
        The metrics of the best config, as `train` returns them, and a list of dicts, a row a trial,
        the best first. None, if this process is a worker of a chief elsewhere.

    Raises:
        InputError: The settings make no sense, or are not those that the search began with.
    """
    role = cluster_role()
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
        trials = HYPERBAND_ROUND * max(1, round(trials / HYPERBAND_ROUND))
    space = space_of(config, fields)
    folder = run.folder / "tuning"
    trainer = Trainer(recipe, named, preset, config, folder, devices)
    gpus = gpus_seen()
    if role == "worker":
        print(where(gpus))
        work_for_the_chief(make_oracle(search, None, space, trials, config), trainer, afresh)
        return None
    settings = {
        **dataclasses.asdict(config),
        "search": search,
        "trials": trials,
        "fields": sorted(field.name for field in space.space),
    }
    _check_settings(run, folder / "settings.json", settings)
    if "validation" not in recipe.load(config):  # before workers do, since it may be prepared here
        raise InputError(
            f"Tuning chooses by the validation split, and the data {config.data!r} has none."
        )
    with runs.alone(folder):
        _check_settings(run, folder / "settings.json", settings)  # another may just have ended
        runs.write_json(folder / "settings.json", settings)
        if workers is None:
            workers = len(gpus) if len(gpus) > 1 and devices is None else 0
        with progress.trials(trials) as say:
            oracle = make_oracle(search, folder / "search.json", space, trials, config, say)
            if role == "chief":
                address = ":".join(os.environ[name] for name in CLUSTER[1:])
                say(oracle.done, f"Workers are awaited at {address}.")
                serve(oracle, address)
            elif workers:
                say(oracle.done, f"{where(gpus)}, {workers} side by side")
                start = functools.partial(start_worker, arguments, gpus)
                serve(oracle, "127.0.0.1:0", start, workers)
            else:
                say(oracle.done, where(gpus))
                work(oracle, "tuner0", trainer, afresh)
        rows = _table(oracle, config, run.folder)
        best = dataclasses.replace(config, **values_of(oracle.finished[0]))
        for checkpoint in folder.glob("trial_*/checkpoint.npz"):
            checkpoint.unlink()
        return training.train(recipe, named, preset, best, run, command, devices=devices), rows


def _check_settings(run, path, settings):
    """A search goes on with what it was begun with; it does not begin where a run lies already."""
    if run.finished or (run.started and not path.exists()):
        run.check_free()
    if path.exists():
        was = json.loads(path.read_text())
        for name, value in settings.items():
            if was.get(name) != value:
                option = name.replace("_", "-")
                raise InputError(
                    f"{run.folder} was tuned with --{option} {was.get(name)}, not {value}; choose "
                    "another name with --run."
                )


def _table(oracle, config, folder):
    """The rows of all trials, the best first; writes them into the folder, and draws them."""
    if not oracle.finished:
        why = oracle.trials[oracle.end_order[-1]].message or "see above"
        raise InputError(f"No trial of {folder} ended well; the last: {why}")
    rows = [oracle.row(trial) for trial in oracle.finished]
    logarithmic = {name: found.log for name, found in type(config).spaces().items()}
    pictures.parallel_coordinates(
        rows,
        {field.name: logarithmic[field.name] for field in oracle.hyperparameters.space},
        oracle.objective.name,
        config.less_is_better,
        folder / "trials.png",
    )
    rows += [oracle.row(trial) for trial in oracle.trials.values() if trial.status == "FAILED"]
    runs.write_csv(folder / "trials.csv", rows)
    return rows

"""Training and use of runs in Python. The commands of `keras-seq` call these functions."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.train import distribution, initialization, registry, results, runs, tracking
from keras_seq.train.config import Config
from keras_seq.train.outputs import Output, make_reporter
from keras_seq.train.recipe_info import RecipeInfo
from keras_seq.train.runs import Run
from keras_seq.train.tracking import Logger
from keras_seq.train.trained_run import TrainedRun


def load_run(folder: str | os.PathLike[str], recipe: str | None = None) -> TrainedRun:
    """Return a finished run.

    Args:
        folder: Folder of the run.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.

    Raises:
        InputError: If the folder does not hold a finished run, its model is damaged, or the recipe
            is missing.
    """
    run = Run(Path(folder))
    info, _, _ = run.read_config(recipe)
    run.ensure_model()
    return TrainedRun(run, info)


def train_run(
    recipe: str,
    *,
    preset: str = "default",
    run: str | None = None,
    runs_folder: str | os.PathLike[str] = "runs",
    resume: bool = False,
    record: bool = False,
    test: bool = True,
    distribute: distribution.Kind = None,
    loggers: Sequence[Logger] = (),
    command: str = "",
    output: Output = "progress",
    **fields: Any,
) -> TrainedRun | None:
    """Train a model, evaluate it and save the run, like the command `keras-seq train`.

    `keras_seq.train(recipe, ...)` is a short form.

    Args:
        recipe: Name of a recipe, or the path of its folder, such as `./my_digits`.
        preset: Preset that sets the defaults of the fields.
        run: Name of the run, saved in RUNS_FOLDER/RECIPE/RUN. Default: the name of the preset.
        runs_folder: Folder of all runs.
        resume: Whether to continue the run from its checkpoint after an interruption.
        record: Whether to add the result to the recipe's results.json.
        test: Whether to evaluate on the test split at the end.
        distribute: "mirrored" or "multiworker" for data parallelism; None for one device.
        loggers: Names of further places that metrics are written to after each epoch: "tensorboard"
            (the folder `tensorboard` in that of the run), "wandb" (Weights & Biases), "mlflow".
        command: Command line, saved with the metrics.
        output: "progress" for text with a progress bar, "quiet" for warnings alone, or "json" for a
            JSON object per line; docs/runs.md lists them.
        **fields: Fields of the recipe's Config.

    Returns:
        The finished run; None in a worker whose chief saves the run.

    Raises:
        InputError: If an argument or the data is not valid, or the folder holds another run.
    """
    info = registry.find(recipe)
    training_run = runs.get_run(Path(runs_folder), info, preset if run is None else run)
    preset, config = resolve_config(info, preset, fields, training_run if resume else None)
    if record:
        results.check_recordable(info, preset, config, test)
    tracking.check_loggers(loggers)
    is_chief = distribution.is_chief(distribute)
    with (
        make_reporter(output) as reporter,
        training_run.lock() if is_chief else contextlib.nullcontext(),
        explain_interruption(training_run),
    ):
        if resume:
            training_run.read_unfinished(info)  # again: another process may have finished it
        elif is_chief:
            training_run.ensure_new()
        devices = distribution.start_backend(distribute, reporter)
        from keras_seq.train import loop

        code = info.import_recipe()
        names = loggers if is_chief else ()
        with tracking.start_loggers(names, training_run, config) as callbacks:
            metrics = loop.train(
                code, preset, config, training_run, command, test, devices, callbacks, reporter
            )
        if metrics is None:
            return None
        if record:
            results.record(info, metrics, config)
        reporter.report_result(training_run.folder, metrics)
    return TrainedRun(training_run, info)


@contextlib.contextmanager
def explain_interruption(run: Run) -> Iterator[None]:
    """Add a note to an interruption in the block if the run can then be continued."""
    try:
        yield
    except KeyboardInterrupt as error:
        if run.is_started and not run.is_finished:
            error.add_note("Continue with the same command and --resume.")
        raise


def resolve_config(
    info: RecipeInfo,
    preset: str,
    fields: Mapping[str, Any],
    interrupted: Run | None = None,
    folds: int | None = None,
) -> tuple[str, Config]:
    """Return the preset name and Config of a run to train.

    Args:
        info: Recipe.
        preset: Name of the preset, unless the run is resumed.
        fields: Fields of the Config that the user sets.
        interrupted: Run to resume, or None for a new one.
        folds: Number of folds of a cross-validation, or None.

    Raises:
        InputError: If a name or value is not valid, a file does not exist, or the run was started
            with other settings.
    """
    if interrupted is None:
        defaults = info.preset(preset)
    else:
        preset, defaults = interrupted.read_unfinished(info, folds)
    if unknown := [name for name in fields if name not in info.field_names()]:
        raise unknown_name(f"field of {info.name}", unknown[0], info.field_names())
    config = defaults.override(**fields)
    config.check_files()
    if interrupted is None:
        initialization.check(info, config)
    else:
        for name in info.field_names():
            was, now = getattr(defaults, name), getattr(config, name)
            if was != now:
                option = name.replace("_", "-")
                raise InputError(
                    f"{interrupted.folder} was started with --{option} {was}, not {now}."
                )
    return preset, config

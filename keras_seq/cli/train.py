"""`keras-seq train`."""

import contextlib
import dataclasses
import shlex
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import (
    RUNS,
    RunsOption,
    app,
    console,
    print_metrics,
    start_backend,
)
from keras_seq.cli._two_stages import (
    Words,
    config_parameters,
    is_help,
    keyword,
    parse_known,
    run_command,
)
from keras_seq.train import distribution, registry, results, runs
from keras_seq.train.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """Options that the defaults of all others depend on."""

    preset: str = "default"
    run: str | None = None
    runs_folder: RunsOption = RUNS
    resume: Annotated[bool, Parameter(negative="")] = False


@app.command(help_flags=[])
def train(*words: Words) -> None:
    """Train a recipe: `keras-seq train RECIPE`; `keras-seq train RECIPE --help` lists its options.

    RECIPE is a name that `keras-seq ls` lists, or the folder of a recipe of your own, written with
    a separator: `./my_digits`.
    """
    if is_help("train", words):
        return
    named, *options = words
    recipe = registry.find(named)
    start = parse_known(FirstStage, options)
    preset, defaults = start.preset, recipe.preset(start.preset)
    if start.resume:
        interrupted = runs.get_run(start.runs_folder, recipe, start.run or preset)
        preset, defaults = interrupted.read_unfinished(recipe)

    def train_recipe(
        *,
        preset: str = preset,
        run: str | None = None,
        runs_folder: RunsOption = RUNS,
        resume: Annotated[bool, Parameter(negative="")] = False,
        record: Annotated[bool, Parameter(negative="")] = False,
        test: bool = True,
        distribute: Literal["mirrored", "multiworker"] | None = None,
        **fields: Any,
    ) -> None:
        """Train, measure and save.

        Args:
            preset: Where the other options take their defaults from.
            run: Name of the run, the preset's by default; it lies in RUNS/RECIPE/RUN.
            runs_folder: Folder of all runs.
            resume: Go on with an interrupted run.
            record: Add the result to the recipe's results.json.
            test: Evaluate on the test split at the end. Use --no-test while comparing settings.
            distribute: Share every batch out: mirrored, among all GPUs of this machine;
                multiworker, among the machines of TF_CONFIG, on each of which this command runs.
        """
        config = dataclasses.replace(defaults, **fields)
        folder = runs.get_run(runs_folder, recipe, preset if run is None else run)
        command = shlex.join(["keras-seq", "train", *words])
        if record:
            results.check_recordable(recipe, preset, config, test)
        chief = distribution.is_chief(distribute)
        with folder.lock() if chief else contextlib.nullcontext():
            if resume:
                folder.read_unfinished(recipe)  # again, since another process may just have ended
                _check_unchanged(defaults, config, folder)
            elif chief:
                folder.ensure_new()
            devices = start_backend(distribute)
            from keras_seq.train import loop

            code = recipe.import_recipe()
            metrics = loop.train(code, preset, config, folder, command, test, devices)
            if metrics is None:
                return
            if record:
                results.record(recipe, metrics, config)
        print_metrics(metrics)
        console.print(f"[bold]run[/] {folder.folder}")

    presets = keyword("preset", preset, Literal[tuple(recipe.presets)])
    run_command(f"train {named}", train_recipe, options, [*config_parameters(defaults), presets])


def _check_unchanged(stored: Config, given: Config, run: runs.Run) -> None:
    """Check that a run goes on with the config that it was started with.

    Raises:
        InputError: If a field has another value.
    """
    for field in dataclasses.fields(stored):
        was, now = getattr(stored, field.name), getattr(given, field.name)
        if was != now:
            option = field.name.replace("_", "-")
            raise InputError(f"{run.folder} was started with --{option} {was}, not {now}.")

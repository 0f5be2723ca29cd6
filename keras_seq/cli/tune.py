"""`keras-seq tune`."""

import contextlib
import dataclasses
import os
import sys
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.markup import escape

from keras_seq._internal.ranges import find_ranges
from keras_seq.cli._common import (
    OUTPUT,
    RUNS,
    OutputOption,
    RunsOption,
    app,
    console,
    make_table,
    print_metrics,
)
from keras_seq.cli._two_stages import (
    RUN_GROUP,
    Words,
    config_parameters,
    keyword,
    parse_known,
    print_help,
    run_command,
)
from keras_seq.train import distribution, initialization, registry, runs
from keras_seq.train.config import PositiveInt
from keras_seq.train.outputs import make_reporter

FIRST = ("data", "preset", "run", "search", "trials", "fields", "workers", "seed")
"""Options that people need first."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """Option on which the defaults of all other options depend."""

    preset: str = "default"


@app.command(help_flags=[], usage="Usage: keras-seq tune RECIPE [OPTIONS]")
def tune(*words: Words) -> None:
    """Search the hyperparameters of a recipe, then train with the best.

    RECIPE is as for `keras-seq train`. The search maximizes or minimizes a metric on the validation
    split. Options set on the command line stay fixed. Re-run the same command to resume.
    `keras-seq tune RECIPE --help` lists the options of the recipe.
    """
    if print_help("tune", words):
        return
    recipe_ref, *options = words
    recipe = registry.find(recipe_ref)
    preset = parse_known(FirstStage, options).preset
    defaults = recipe.preset(preset)

    def tune_recipe(
        *,
        preset: str = preset,
        search: Literal["random", "bayesian", "hyperband"] = "random",
        trials: PositiveInt = 20,
        fields: list[str] | None = None,
        workers: PositiveInt | None = None,
        distribute: Literal["mirrored"] | None = None,
        run: str = "tuned",
        runs_folder: RunsOption = RUNS,
        output: OutputOption = OUTPUT,
        **values: Any,
    ) -> None:
        """Search, then train the best config, evaluate it on the test split and save the run.

        Args:
            preset: Preset that sets the defaults of the other options and the first trial.
            search: Search strategy. Hyperband starts many short trials and continues the best.
            trials: Number of trials, at least 1. Hyperband rounds it to a multiple of 23.
            fields: Names of the options to tune.
            workers: Number of parallel trials, at least 1, each in its own process. Default: one
                per GPU, or one on the CPU.
            distribute: Data parallelism. mirrored divides each batch among all GPUs of this
                machine, and trials run one at a time. Default: one device per trial.
            run: Name of the run, saved in RUNS/RECIPE/RUN.
            runs_folder: Folder of all runs.
            output: What is printed.
            **values: Fields of the recipe's Config that stay fixed.
        """
        for option, value in (("trials", trials), ("workers", workers)):
            if value is not None:
                find_ranges(tune_recipe)[option].check(f"--{option}", value)
        config = defaults.override(**values)
        config.check_files()
        tunable = [name for name in config.spaces() if name not in values]
        folder = runs.get_run(runs_folder, recipe, run)
        if not folder.is_started:
            initialization.check(recipe, config)
        is_worker = distribution.tuning_role() == "worker"
        # Otherwise the first process takes all memory of a GPU, or JAX three quarters of it.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

        def restart() -> None:
            # The state of the search is on disk. The new process takes the lock again.
            sys.stdout.flush()
            command_line = [sys.executable, "-m", "keras_seq.cli", "tune", *words]
            os.execv(sys.executable, command_line)

        with (
            make_reporter(output.kind) as reporter,
            contextlib.nullcontext() if is_worker else folder.lock(),
        ):
            devices = distribution.start_backend(distribute, reporter)
            from keras_seq import tuning

            result = tuning.tune(
                recipe.import_recipe(),
                preset,
                config,
                folder,
                words,
                search=search,
                trials=trials,
                fields=tunable if fields is None else fields,
                workers=workers,
                devices=devices,
                restart=restart,
                reporter=reporter,
            )
        if result is None or output.kind != "progress":
            return
        metrics, rows = result
        table = make_table(*rows[0])
        for row in rows:
            table.add_row(*map(tuning.format_value, row.values()))
        console.print(table)
        print_metrics(metrics, recipe.monitor)
        console.print(f"[bold]run[/] {escape(str(folder.folder))}")

    presets = keyword("preset", preset, Literal[tuple(recipe.presets)])
    names = ", ".join(name.replace("_", "-") for name in defaults.spaces())
    fields_help = f"Options to tune, among {names}. Default: those not set on the command line."
    fields_option = Parameter(help=fields_help, consume_multiple=True, negative="")
    fields = keyword("fields", None, Annotated[list[str] | None, fields_option])
    parameters = [*config_parameters(defaults), presets, fields]
    run_command(
        f"tune {recipe_ref}", tune_recipe, options, parameters, group=RUN_GROUP, first=FIRST
    )

"""`keras-seq tune`."""

import contextlib
import dataclasses
import os
import shlex
import sys
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.table import Table

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
from keras_seq.train import distribution, registry, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """The option that the defaults of all others depend on."""

    preset: str = "default"


@app.command(help_flags=[])
def tune(*words: Words) -> None:
    """Tune a recipe: `keras-seq tune RECIPE`; `keras-seq tune RECIPE --help` lists its options.

    Searches the tunable fields on the validation split; fields set on the command line stay fixed.
    Re-run the same command to resume.
    """
    if is_help("tune", words):
        return
    named, *options = words
    recipe = registry.find(named)
    preset = parse_known(FirstStage, options).preset
    defaults = recipe.preset(preset)

    def tune_recipe(
        *,
        preset: str = preset,
        search: Literal["random", "bayesian", "hyperband"] = "random",
        trials: int = 20,
        fields: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
        workers: int | None = None,
        distribute: Literal["mirrored"] | None = None,
        run: str = "tuned",
        runs_folder: RunsOption = RUNS,
        **values: Any,
    ) -> None:
        """Search, then train the best that was found, measure it on the test split and save it.

        Args:
            preset: Where the other options take their defaults from, and the first trial its
                values.
            search: Search strategy. Hyperband starts many short trials and continues the best.
            trials: How many to try; Hyperband takes whole rounds of 23.
            fields: Fields to tune. Default: all tunable fields that are not set here.
            workers: Number of trials at a time, each a process. Default: one per GPU.
            distribute: Share every batch of a trial out among all GPUs of this machine, one trial
                at a time.
            run: Name of the run; it lies in RUNS/RECIPE/RUN.
            runs_folder: Folder of all runs.
        """
        config = dataclasses.replace(defaults, **values)
        tunable = [name for name in config.spaces() if name not in values]
        folder = runs.get_run(runs_folder, recipe, run)
        command = shlex.join(["keras-seq", "tune", *words])
        is_worker = distribution.tuning_role() == "worker"
        # Else the first process that sees a GPU takes all of its memory.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

        def restart() -> None:
            # The search is on disk, and its lock is not handed on.
            sys.stdout.flush()
            again = [sys.executable, "-m", "keras_seq.cli", "tune", *words]
            os.execv(sys.executable, again)

        with contextlib.nullcontext() if is_worker else folder.lock():
            devices = start_backend(distribute)
            from keras_seq import tuning

            done = tuning.tune(
                recipe.import_recipe(),
                preset,
                config,
                folder,
                command,
                words,
                search=search,
                trials=trials,
                fields=tunable if fields is None else fields,
                workers=workers,
                devices=devices,
                restart=restart,
            )
        if done is None:
            return
        metrics, rows = done
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*map(tuning.format_value, row.values()))
        console.print(table)
        print_metrics(metrics)
        console.print(f"[bold]run[/] {folder.folder}")

    presets = keyword("preset", preset, Literal[tuple(recipe.presets)])
    run_command(f"tune {named}", tune_recipe, options, [*config_parameters(defaults), presets])

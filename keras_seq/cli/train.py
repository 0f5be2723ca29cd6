"""`keras-seq train`."""

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.markup import escape

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import (
    OUTPUT,
    RUNS,
    Flag,
    OutputOption,
    RunsOption,
    app,
    console,
    print_folds,
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
from keras_seq.train import registry, runs
from keras_seq.train.api import train_run
from keras_seq.train.config import Config
from keras_seq.train.config_file import read_config_file
from keras_seq.train.cross_validation import cross_validate
from keras_seq.train.recipe import RecipeInfo
from keras_seq.train.tracking import Logger

FIRST = (
    "data",
    "preset",
    "run",
    "epochs",
    "batch_size",
    "units",
    "learning_rate",
    "resume",
    "seed",
    "test",
)
"""Options that people need first."""

LoggerOption = Annotated[
    tuple[Literal["wandb", "mlflow"], ...], Parameter(negative="", show_default=False)
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """Options on which the defaults of all other options depend."""

    preset: str | None = None
    config: Path | None = None
    run: str | None = None
    runs_folder: RunsOption = RUNS
    resume: Flag = False
    folds: int | None = None

    def get_defaults(self, recipe: RecipeInfo) -> tuple[str, Config]:
        """Return the preset name, and the Config whose fields are the defaults of the options.

        Raises:
            InputError: If a preset or the file of settings is not valid, or there is no run to
                resume.
        """
        fields = {} if self.config is None else read_config_file(self.config, recipe)
        preset = fields.pop("preset", self.preset or "default")
        if self.preset not in (None, preset) and not self.resume:
            raise InputError(
                f"{self.config} has the preset {preset}; leave out --preset {self.preset}."
            )
        defaults = recipe.preset(preset)
        if self.resume:
            name = self.run or runs.default_name(preset, self.folds)
            interrupted = runs.get_run(self.runs_folder, recipe, name)
            preset, defaults = interrupted.read_unfinished(recipe, self.folds)
        return preset, defaults.override(**fields)


@app.command(help_flags=[], usage="Usage: keras-seq train RECIPE [OPTIONS]")
def train(*words: Words) -> None:
    """Train the model of a recipe, evaluate it and save the run.

    RECIPE is a name that `keras-seq ls` lists, or a path that contains a separator, such as
    ./my_digits. `keras-seq train RECIPE --help` lists the options of the recipe.

    Example: `keras-seq train ner --data FOLDER --epochs 10` trains on the files of FOLDER.
    """
    if print_help("train", words):
        return
    recipe_ref, *options = words
    recipe = registry.find(recipe_ref)
    preset, defaults = parse_known(FirstStage, options).get_defaults(recipe)

    def train_recipe(
        *,
        preset: str = preset,
        config: Path | None = None,
        run: str | None = None,
        runs_folder: RunsOption = RUNS,
        resume: Flag = False,
        record: Flag = False,
        test: bool = True,
        folds: int | None = None,
        distribute: Literal["mirrored", "multiworker"] | None = None,
        tensorboard: Flag = False,
        logger: LoggerOption = (),
        output: OutputOption = OUTPUT,
        **fields: Any,
    ) -> None:
        """Train a model, evaluate it and save the run.

        Args:
            preset: Preset that sets the defaults of the other options.
            config: JSON or TOML file that sets the defaults of the other options: the config.json
                of a run, or one with the names of fields, such as learning_rate.
            run: Name of the run, saved in RUNS/RECIPE/RUN. Default: the name of the preset, or
                PRESET-K-folds with --folds K.
            runs_folder: Folder of all runs.
            resume: Continue the run from its checkpoint after an interruption.
            record: Add the result to the recipe's results.json. Needs an unchanged preset; only
                --seed may differ.
            test: Evaluate on the test split at the end. Use --no-test while comparing settings.
            folds: Train and measure a model per fold of a cross-validation, at least 3 folds, and
                print the mean of each metric with its 95% confidence interval. The test split is
                not used. Default: one model.
            distribute: Data parallelism. mirrored divides each batch among all GPUs of this
                machine; multiworker among the workers in TF_CONFIG, each of which runs this
                command. Default: one device.
            tensorboard: Write the metrics of each epoch to RUN/tensorboard, for `tensorboard
                --logdir runs`.
            logger: Log the metrics of each epoch to Weights & Biases (wandb) or MLflow (mlflow).
                May be repeated.
            output: What is printed.
            **fields: Fields of the recipe's Config.
        """
        if config is not None:
            fields = vars(defaults.override(**fields))
        loggers: tuple[Logger, ...] = ("tensorboard", *logger) if tensorboard else logger
        shared: dict[str, Any] = {
            "preset": preset,
            "run": run,
            "runs_folder": runs_folder,
            "resume": resume,
            "loggers": loggers,
            "command": shlex.join(["keras-seq", "train", *words]),
            "output": output.kind,
            **fields,
        }
        if folds is not None:
            for option, value in {"--record": record, "--distribute": distribute}.items():
                if value:
                    raise InputError(
                        f"{option} is for a run with one model, not for --folds {folds}; leave out "
                        "one of them."
                    )
            result = cross_validate(recipe_ref, folds, **shared)
            if output.kind == "progress":
                print_folds(result.metrics)
                console.print(f"[bold]run[/] {escape(str(result.folder))}")
            return
        trained = train_run(recipe_ref, record=record, test=test, distribute=distribute, **shared)
        if trained is not None and output.kind == "progress":
            print_metrics(trained.metrics, recipe.monitor)
            console.print(f"[bold]run[/] {escape(str(trained.folder))}")

    presets = keyword("preset", preset, Literal[tuple(recipe.presets)])
    parameters = [*config_parameters(defaults), presets]
    run_command(
        f"train {recipe_ref}", train_recipe, options, parameters, group=RUN_GROUP, first=FIRST
    )

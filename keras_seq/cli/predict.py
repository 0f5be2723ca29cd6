"""`keras-seq predict`."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import RecipeOption, app, console
from keras_seq.cli._two_stages import Words, is_help, keyword, parse_known, run_command
from keras_seq.train import runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """Option that selects the recipe, on which the other options depend."""

    recipe: RecipeOption = None


@app.command(help_flags=[], usage="Usage: keras-seq predict RUN INPUT... [OPTIONS]")
def predict(*words: Words) -> None:
    """Print the predictions of a finished run.

    RUN is the folder of the run. INPUT is a file name, a text or a number, depending on the recipe.
    `keras-seq predict RUN --help` lists the options of the recipe.
    """
    if is_help("predict", words):
        return
    folder, *options = words
    no_input = InputError("predict needs at least one input after the folder of the run.")
    if not options:
        raise no_input
    run = runs.Run(Path(folder))
    info, _, _ = run.read_config(parse_known(FirstStage, options).recipe)
    predict_rows: Callable[..., Iterable[dict[str, Any]]] = info.import_recipe().predict

    def predict_inputs(*inputs: str, **recipe_options: Any) -> None:
        if not inputs:
            raise no_input
        recipe_options.pop("recipe", None)  # the first stage has read it
        _, config, model = run.load(info)
        table = None
        for row in predict_rows(model, config, inputs, **recipe_options):
            if table is None:
                table = Table(*row)
            table.add_row(*map(str, row.values()))
        console.print(table if table is not None else "There are no predictions.")

    # Keyword arguments of the recipe's method become options.
    recipe_parameters = [
        parameter
        for parameter in inspect.signature(predict_rows).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    predict_inputs.__doc__ = predict_rows.__doc__
    recipe_parameters.append(keyword("recipe", None, RecipeOption))
    run_command(f"predict {folder}", predict_inputs, options, recipe_parameters)

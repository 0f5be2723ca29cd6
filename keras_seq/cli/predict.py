"""`keras-seq predict`."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import RecipeOption, app, console
from keras_seq.cli._two_stages import Words, is_help, parse_known, run_command
from keras_seq.train import runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """The option that says which recipe decides the others."""

    recipe: RecipeOption = None


@app.command(help_flags=[])
def predict(*words: Words) -> None:
    """Ask a finished run: `keras-seq predict RUN INPUT ...`; `keras-seq predict RUN --help`.

    INPUT is what the recipe takes: file names, texts, numbers.
    """
    if is_help("predict", words):
        return
    folder, *options = words
    nothing = InputError("predict needs at least one input after the run.")
    if not options:
        raise nothing
    run = runs.Run(Path(folder))
    info, _, _ = run.read_config(parse_known(FirstStage, options).recipe)
    answer: Callable[..., Iterable[dict[str, Any]]] = info.import_recipe().predict

    # Its option `recipe` has been read above.
    def ask(*inputs: str, recipe: RecipeOption = None, **how: Any) -> None:
        if not inputs:
            raise nothing
        _, config, model = run.load(info)
        table = None
        for row in answer(model, config, inputs, **how):
            if table is None:
                table = Table(*row)
            table.add_row(*map(str, row.values()))
        console.print(table if table is not None else "Nothing was found.")

    # The options are the keyword arguments of the recipe's method.
    decided = [
        parameter
        for parameter in inspect.signature(answer).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    ask.__doc__ = answer.__doc__
    run_command(f"predict {folder}", ask, options, decided)

"""Commands whose options depend on a recipe or a run.

Their command line is parsed twice. The first stage reads the options that other defaults depend on,
such as `--preset`, and skips the rest. The second stage reads all options, including those of the
recipe.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

from cyclopts import App, Parameter

from keras_seq.cli._common import PARSER_OPTIONS, app, limited, set_signature
from keras_seq.train.config import Config, field_texts

Words = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]
"""Type of the words after the name of a command, which the command itself parses."""
HELP = {"--help", "-h"}
Options = TypeVar("Options")


def print_help(command: str, words: Sequence[str]) -> bool:
    """Print the help of a command if no recipe or run is named. Return whether it was printed."""
    if words and words[0] not in HELP:
        return False
    app.help_print([command])
    return True


def parse_known(options: Callable[..., Options], words: Iterable[str]) -> Options:
    """Call a class or function with the options that it knows, and return its result.

    Args:
        options: Class or function with keyword arguments that have defaults.
        words: Words of a command line. Unknown options are skipped.
    """
    first_stage = App(help_flags=[], version_flags=[])
    first_stage.default(options)
    _, bound, _, _ = first_stage.parse_known_args(list(words))
    return options(*bound.args, **bound.kwargs)


def run_command(
    name: str,
    function: Callable[..., None],
    words: Iterable[str],
    parameters: Iterable[inspect.Parameter],
) -> None:
    """Parse all options of a command and call its function with those that are given.

    Args:
        name: Name of the command and of its recipe or run, such as "train ner".
        function: Function with a docstring in Google's style.
        words: Options as typed.
        parameters: Parameters of the recipe. They replace parameters of the function with the
            same name; the function gets the others as `**` arguments.
    """
    recipe_parameters = {parameter.name: parameter for parameter in parameters}
    own = [
        recipe_parameters.pop(parameter.name, parameter)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    positional = [p for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    keywords = [p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> None:
        return function(*arguments, **options)

    set_signature(call, [*positional, *recipe_parameters.values(), *keywords])
    second_stage = App(
        name=f"keras-seq {name}", version_flags=[], suppress_keyboard_interrupt=False
    )
    second_stage["--help"].group = "Parameters"
    second_stage.default(limited(call))
    second_stage(list(words), **PARSER_OPTIONS)


def keyword(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    """Return a keyword-only parameter."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def config_parameters(config: Config) -> list[inspect.Parameter]:
    """Return a keyword-only parameter per field of a config, with its value as the default."""
    types = typing.get_type_hints(type(config), include_extras=True)
    texts = field_texts(type(config))
    return [
        keyword(
            field.name,
            getattr(config, field.name),
            Annotated[types[field.name], Parameter(help=texts.get(field.name, ""))],
        )
        for field in dataclasses.fields(config)
    ]

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

from cyclopts import App, Group, Parameter

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import PARSER_OPTIONS, app, limited, set_signature
from keras_seq.train.config import Config, field_groups, field_texts

Words = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]
"""Type of the words after the name of a command, which the command itself parses."""
HELP = {"--help", "-h"}
Options = TypeVar("Options")
FIRST_GROUP = Group("Most used", sort_key=0)
"""Group of the options that people need first."""
CONFIG_GROUPS = {
    name: Group(name, sort_key=index) for index, name in enumerate(("Data", "Model", "Training"), 1)
}
"""Groups of the fields of a Config."""
RUN_GROUP = Group("Run", sort_key=4)
"""Group of the other options of commands that have those of a Config."""


def print_help(command: str, words: Sequence[str]) -> bool:
    """Print the help of a command if it comes before a recipe or run. Return whether it did.

    Raises:
        InputError: If there are no words.
    """
    if not words:
        name, kind = ("RUN", "runs") if command == "predict" else ("RECIPE", "ls")
        raise InputError(
            f"{name} is missing. keras-seq {kind} lists those that exist, and keras-seq {command} "
            "--help describes the command."
        )
    if words[0] not in HELP:
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
    group: Group | None = None,
    first: Sequence[str] = (),
) -> None:
    """Parse all options of a command and call its function with those that are given.

    Args:
        name: Name of the command and of its recipe or run, such as "train ner".
        function: Function with a docstring in Google's style.
        words: Options as typed.
        parameters: Parameters of the recipe. They replace parameters of the function with the
            same name; the function gets the others as `**` arguments.
        group: Group of all parameters that have none. Default: "Parameters".
        first: Names of the parameters that people need first, in the order of `--help`.
    """
    recipe_parameters = {parameter.name: parameter for parameter in parameters}
    own = [
        recipe_parameters.pop(parameter.name, parameter)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    positional = [p for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    keywords = [p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]
    others = {p.name: p for p in [*recipe_parameters.values(), *keywords]}
    needed_first = [_put_first(others.pop(name)) for name in first if name in others]

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> None:
        return function(*arguments, **options)

    set_signature(call, [*positional, *needed_first, *others.values()])
    group = Group("Parameters") if group is None else group
    second_stage = App(
        name=f"keras-seq {name}",
        version_flags=[],
        suppress_keyboard_interrupt=False,
        group_parameters=group,
    )
    second_stage["--help"].group = group
    second_stage.default(limited(call))
    second_stage(list(words), **PARSER_OPTIONS)


def keyword(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    """Return a keyword-only parameter."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _put_first(parameter: inspect.Parameter) -> inspect.Parameter:
    annotation: Any = Annotated[parameter.annotation, Parameter(group=FIRST_GROUP)]
    return parameter.replace(annotation=annotation)


def config_parameters(config: Config) -> list[inspect.Parameter]:
    """Return a keyword-only parameter per field of a config, with its value as the default."""
    types = typing.get_type_hints(type(config), include_extras=True)
    texts, groups = field_texts(type(config)), field_groups(type(config))
    return [
        keyword(
            field.name,
            getattr(config, field.name),
            Annotated[
                types[field.name],
                Parameter(help=texts.get(field.name, ""), group=CONFIG_GROUPS[groups[field.name]]),
            ],
        )
        for field in dataclasses.fields(config)
    ]

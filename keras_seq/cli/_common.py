"""Application that registers the commands, and helpers that several commands use."""

import contextlib
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from cyclopts import App, Parameter, Token
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from keras_seq import __version__
from keras_seq._internal.errors import InputError
from keras_seq._internal.unicode import show_controls
from keras_seq.train.metrics import flatten, numbers
from keras_seq.train.outputs import Output

app = App(
    name="keras-seq",
    help=(
        "Train, evaluate, export and serve recurrent sequence models. With --debug, error messages "
        "of any command include the Python traceback."
    ),
    version=__version__,
    suppress_keyboard_interrupt=False,
)
app.register_install_completion_command(
    help=(
        "Install completion for bash, zsh or fish: a script, and a line in ~/.bashrc or ~/.zshrc "
        "that loads it. Recipes and their options are not completed."
    )
)
# In a pipe, tables are as wide as their content.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 10_000)

PARSER_OPTIONS: dict[str, Any] = {
    "exit_on_error": False,
    "print_error": False,
    "result_action": "return_value",
}
"""Options of a cyclopts call that let errors reach `main`, which prints them."""

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
"""Type of an option that is either given or not."""
JsonFlag = Annotated[Flag, Parameter(name="--json")]
"""Type of the option `--json`."""

RecipeOption = Annotated[
    str | None,
    Parameter(help="Folder of the run's recipe, if it is not registered. Its code is executed."),
]

RunsOption = Annotated[Path, Parameter(name="--runs")]
RUNS = Path("runs")
"""Default of `--runs`."""

UNIONS = (Union, UnionType)
"""Origins of annotations such as `int | None`."""

LimitOption = Annotated[
    list[str] | None,
    Parameter(
        negative="",
        help="NAME=VALUE: change a limit on input files, see docs/limits.md. May be repeated.",
    ),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Options that select what a command prints while it works.

    Raises:
        InputError: If both are given.
    """

    quiet: Annotated[Flag, Parameter(help="Print nothing but warnings and errors.")] = False
    json_output: Annotated[
        JsonFlag, Parameter(help="Print a JSON object per line for each event; see docs/runs.md.")
    ] = False

    def __post_init__(self) -> None:
        if self.quiet and self.json_output:
            raise InputError("--quiet prints nothing, --json prints JSON. Use one of them.")

    @property
    def kind(self) -> Output:
        """Kind of output."""
        if self.json_output:
            return "json"
        return "quiet" if self.quiet else "progress"


OutputOption = Annotated[OutputOptions, Parameter(name="*")]
"""Type of a parameter that stands for all `OutputOptions`."""
OUTPUT = OutputOptions()
"""Default of such a parameter."""


def set_signature(function: Callable[..., Any], parameters: Iterable[inspect.Parameter]) -> None:
    """Set the signature of a function, which cyclopts turns into options."""
    signature = inspect.Signature(
        [p.replace(annotation=_without_rounding(p.annotation)) for p in parameters]
    )
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}


def _without_rounding(annotation: Any) -> Any:
    """Return an annotation whose integers are not rounded, as cyclopts rounds 1.5."""
    types = {*_flatten(annotation)}
    if int not in types or str in types:
        return annotation
    return Annotated[annotation, Parameter(converter=_parse_integer)]


def _flatten(annotation: Any) -> Iterator[Any]:
    """Yield the types of a union, at any depth and without their metadata."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _flatten(get_args(annotation)[0])
    elif origin in UNIONS:
        for part in get_args(annotation):
            yield from _flatten(part)
    else:
        yield annotation


def _parse_integer(_: Any, tokens: Sequence[Token]) -> int:
    [token] = tokens
    for base in (10, 0):  # 0 means a prefix such as 0x.
        with contextlib.suppress(ValueError):
            return int(token.value, base)
    raise ValueError(f"{token.value!r} is not a whole number.")


def limited(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--limit NAME=VALUE` to a command that reads files."""

    @functools.wraps(command)
    def call(*arguments: Any, limit: list[str] | None = None, **options: Any) -> Any:
        from keras_seq.data import limits

        with limits.override(**limits.parse(limit or ())):
            return command(*arguments, **options)

    option = inspect.Parameter(
        "limit", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LimitOption
    )
    set_signature(call, [*inspect.signature(command).parameters.values(), option])
    return call


def make_table(*headers: str, **options: Any) -> Table:
    """Return a table that folds long words on narrow terminals, where rich would cut them off.

    Args:
        headers: Headers of the columns.
        **options: Options of the table.
    """
    return Table(*(Column(header, overflow="fold") for header in headers), **options)


def as_cell(text: str) -> Text:
    """Return a text as a cell of a table, with its brackets and control characters shown.

    Args:
        text: Text, perhaps from a file.
    """
    return Text(show_controls(text))


HEADLINE_METRICS = 2
"""Maximum number of metrics per split that are printed in one line."""


def print_metrics(metrics: Mapping[str, Any], monitor: str) -> None:
    """Print the main metrics of each split, and tables of the last split's metrics by label.

    Args:
        metrics: Metrics by split, as in `metrics.json`.
        monitor: Metric by which the recipe chooses, which is printed first.
    """
    splits = [name for name in ("train", "validation", "test") if name in metrics]
    for split in splits:
        values = numbers(metrics[split])
        names = sorted(values, key=lambda name: name != monitor)[:HEADLINE_METRICS]
        line = "  ".join(f"{name} {values[name]:.4f}" for name in names)
        console.print(f"[bold]{escape(split)}[/] {line}")
    for name, details in metrics[splits[-1]].items() if splits else ():
        if isinstance(details, Mapping) and details:
            _print_details(f"{splits[-1]} {name}", details)


def print_folds(metrics: Mapping[str, Any]) -> None:
    """Print a table with the mean of each metric over the folds of a cross-validation.

    Args:
        metrics: Content of `metrics.json` of the cross-validation.
    """
    by_fold, summary = metrics["by_fold"], metrics["summary"]
    table = make_table("", "mean", "std. dev.", "95% interval", "by fold")
    for name in numbers(by_fold[0]):
        row = summary[name]
        low, high = row["interval"]["low"], row["interval"]["high"]
        values = "  ".join(f"{fold[name]:.4f}" for fold in by_fold if name in fold)
        cells = (f"{row['mean']:.4f}", f"{row['standard_deviation']:.4f}")
        table.add_row(as_cell(name), *cells, f"{low:.4f} to {high:.4f}", values)
    console.print(table)


def _print_details(title: str, details: Mapping[str, Any]) -> None:
    """Print a table with a row per label, or per number if there are no labels."""
    has_labels = all(isinstance(values, Mapping) for values in details.values())
    rows = details if has_labels else {name: {"value": x} for name, x in flatten(details).items()}
    columns = dict.fromkeys(name for values in rows.values() for name in values)
    table = make_table("", *map(escape, columns), title=as_cell(title), title_justify="left")
    for label, values in rows.items():
        cells = (f"{values[name]:.4f}" if name in values else "" for name in columns)
        table.add_row(as_cell(label), *cells)
    console.print(table)

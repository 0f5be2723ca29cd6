"""Application that registers the commands, and helpers that several commands use."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape

from keras_seq import __version__
from keras_seq._internal import startup
from keras_seq.train import distribution
from keras_seq.train.metrics import numbers

app = App(
    name="keras-seq",
    help=(
        "Train, evaluate, export and serve recurrent sequence models. With --debug, error messages "
        "of any command include the Python traceback."
    ),
    version=__version__,
    suppress_keyboard_interrupt=False,
)
# In a pipe, tables are as wide as their content.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 10_000)

PARSER_OPTIONS: dict[str, Any] = {
    "exit_on_error": False,
    "print_error": False,
    "result_action": "return_value",
}
"""Options of a cyclopts call that let errors reach `main`, which prints them."""

RecipeOption = Annotated[
    str | None,
    Parameter(help="Folder of the run's recipe, if it is not registered. Its code is executed."),
]

RunsOption = Annotated[Path, Parameter(name="--runs")]
RUNS = Path("runs")
"""Default of `--runs`."""

LimitOption = Annotated[
    list[str] | None,
    Parameter(
        negative="",
        help="NAME=VALUE: change a limit on input files, see docs/limits.md. May be repeated.",
    ),
]


def set_signature(function: Callable[..., Any], parameters: Iterable[inspect.Parameter]) -> None:
    """Set the signature of a function, which cyclopts turns into options."""
    signature = inspect.Signature(list(parameters))
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}


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


def start_backend(distribute: distribution.Kind) -> distribution.Devices | None:
    """Import the backend and return the devices to train on.

    Args:
        distribute: Value of `--distribute`.

    Returns:
        Devices, or None without `--distribute`.
    """
    devices = startup.import_backend(lambda: distribution.make_devices(distribute))
    if devices is not None:
        console.print(f"Training on {devices}.")
    return devices


def print_metrics(metrics: Mapping[str, Any]) -> None:
    """Print the metrics of each split, with one line per nested dict, such as one per label."""
    for split in ("train", "validation", "test"):
        if split in metrics:
            _print_numbers(split, metrics[split])


def _print_numbers(title: str, metrics: Mapping[str, Any], indent: str = "") -> None:
    values = "  ".join(f"{name} {value:.4f}" for name, value in numbers(metrics).items())
    if values:
        console.print(f"{indent}[bold]{escape(title)}[/] {values}")
    for name, details in metrics.items():
        if isinstance(details, Mapping):
            _print_numbers(name, details, "  ")

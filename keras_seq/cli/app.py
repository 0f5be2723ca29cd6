"""Entry point of the command line. It turns errors into messages and exit codes."""

import sys
import traceback

from cyclopts import (
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from keras_seq._internal.errors import explain
from keras_seq._internal.unicode import show_controls

# Each module registers its command.
from keras_seq.cli import (  # noqa: F401
    cache,
    card,
    cp,
    data,
    demo,
    evaluate,
    export,
    ls,
    predict,
    pull,
    push,
    runs,
    serve,
    trace,
    train,
    tune,
)
from keras_seq.cli._common import PARSER_OPTIONS, app


def main(arguments: list[str] | None = None) -> int:
    """Run a command line.

    An error that a file or option of the user caused is printed as one message. All other errors
    are programming errors and are raised.

    Args:
        arguments: Words after `keras-seq`. With `--debug`, every error is printed with its
            traceback. Default: the arguments of this process.

    Returns:
        Exit code: 0 for success, 2 for an invalid option or file, 130 for an interruption.
    """
    arguments, debug = _without_debug(sys.argv[1:] if arguments is None else list(arguments))
    try:
        app(arguments, **PARSER_OPTIONS)
    except KeyboardInterrupt as interruption:
        notes = getattr(interruption, "__notes__", [])
        print("keras-seq: interrupted.", *notes, file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, CycloptsError):
            message: str | None = _explain_usage(error)
        else:
            message = explain(error)
        if message is None:
            raise
        if debug:
            traceback.print_exc()
        print(show_controls(f"keras-seq: {message}"), file=sys.stderr)
        return 2
    return 0


def _explain_usage(error: CycloptsError) -> str:
    """Return a message about an invalid command line."""
    error.verbose = False
    message = " ".join(str(error).split())
    if isinstance(error, UnknownCommandError):
        # cyclopts names only the first eight commands.
        return f"{message.partition(' Available commands:')[0]} keras-seq --help lists all."
    if isinstance(error, UnusedCliTokensError):
        words = ", ".join(map(repr, error.unused_tokens or ()))
        return f"Unexpected argument: {words}. Quote a text that contains blanks."
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name, command = error.argument.name, " ".join(["keras-seq", *(error.command_chain or ())])
        if not name.startswith("-"):
            return f"{name} is missing. {command} --help describes it."
    return message


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Remove `--debug` before any `--`. Return the arguments and True if it was among them."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return options + arguments[end:], len(options) < end

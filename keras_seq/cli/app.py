"""Runs a command line, and turns errors into sentences and exit codes."""

import sys
import traceback

from cyclopts import CycloptsError

from keras_seq._internal.errors import explain

# Each module registers its command.
from keras_seq.cli import (  # noqa: F401
    cache,
    cp,
    demo,
    evaluate,
    export,
    ls,
    predict,
    serve,
    trace,
    train,
    tune,
)
from keras_seq.cli._common import PARSER_OPTIONS, app


def main(arguments: list[str] | None = None) -> int:
    """Run a command line.

    An error that a file or option of the user caused becomes one sentence here, and nowhere else.
    Any other error is a programming error and keeps its traceback.

    Args:
        arguments: Words after `keras-seq`; those of this process by default. With `--debug` among
            them, every error shows its traceback.

    Returns:
        The exit code: 0; 2 for what the user can mend; 130 after an interruption.
    """
    arguments, debug = _without_debug(sys.argv[1:] if arguments is None else list(arguments))
    try:
        app(arguments, **PARSER_OPTIONS)
    except KeyboardInterrupt:
        print("keras-seq: interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, CycloptsError):
            error.verbose = False
            sentence: str | None = " ".join(str(error).split())
        else:
            sentence = explain(error)
        if sentence is None:
            raise
        if debug:
            traceback.print_exc()
        print(f"keras-seq: {sentence}", file=sys.stderr)
        return 2
    return 0


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Return arguments without `--debug`, and whether it was among them, before any `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return options + arguments[end:], len(options) < end

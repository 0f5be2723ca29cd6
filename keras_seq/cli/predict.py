"""`keras-seq predict`."""

import dataclasses
import inspect
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from keras_seq._internal.errors import InputError
from keras_seq._internal.unicode import show_controls
from keras_seq.cli._common import Flag, RecipeOption, app
from keras_seq.cli._rows import STANDARD, check_output, open_writer, print_table
from keras_seq.cli._two_stages import HELP, Words, keyword, parse_known, print_help, run_command
from keras_seq.data.opening import check_exists
from keras_seq.data.summaries import format_count
from keras_seq.train.config import Encoding
from keras_seq.train.outputs import Output, make_reporter
from keras_seq.train.prediction import BATCH_SIZE, TEXT_BATCH_SIZE, Row
from keras_seq.train.reporter import Reporter
from keras_seq.train.runs import Run
from keras_seq.train.trained_run import TrainedRun

MAX_MESSAGES = 3
"""Maximum number of bad inputs whose error messages are printed."""


FileOption = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
"""Type of an option whose value is a file name or `STANDARD`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """Options that are read before the recipe's code, which has further options."""

    recipe: RecipeOption = None
    quiet: Flag = False
    input: FileOption = None
    output: FileOption = None


@app.command(help_flags=[], usage="Usage: keras-seq predict RUN [INPUT...] [OPTIONS]")
def predict(*words: Words) -> None:
    """Print or write the predictions of a finished run.

    RUN is the folder of the run. INPUT is a file name, a text or a number, depending on the recipe.
    `keras-seq predict RUN --help` lists the options of the recipe.
    """
    if print_help("predict", words):
        return
    folder, *options = words
    if not options:
        raise _no_input()
    run = Run(Path(folder))
    start = parse_known(FirstStage, options)
    info, _, _ = run.read_config(start.recipe)
    if not HELP & {*options}:
        run.ensure_model()
        _check_files(start)
    output: Output = "quiet" if start.quiet or HELP & {*options} else "progress"
    with make_reporter(output, use_stderr=True) as reporter:
        reporter.start_phase("importing Keras")
        _run(folder, TrainedRun(run, info), options, reporter)


def _run(folder: str, trained: TrainedRun, words: Sequence[str], reporter: Reporter) -> None:
    """Parse the options of the recipe, and predict."""

    def predict_inputs(
        *inputs: str,
        input: str | None = None,
        output: str | None = None,
        encoding: str = "utf-8",
        batch_size: int | None = None,
        **recipe_options: Any,
    ) -> None:
        for name in ("recipe", "quiet"):  # the first stage has read them
            recipe_options.pop(name, None)
        if bool(inputs) == (input is not None):
            raise _no_input()
        lines = None if input is None else Lines(input, encoding)
        _predict(trained, inputs, lines, output, batch_size, recipe_options, reporter)

    recipe_predict = trained.info.import_recipe().predict
    # Keyword arguments of the recipe's method become options.
    parameters = [
        parameter
        for parameter in inspect.signature(recipe_predict).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    predict_inputs.__doc__ = recipe_predict.__doc__
    parameters += [
        keyword("input", None, Annotated[FileOption, Parameter(help=INPUT_HELP)]),
        keyword("output", None, Annotated[FileOption, Parameter(help=OUTPUT_HELP)]),
        keyword("encoding", "utf-8", Annotated[Encoding, Parameter(help=ENCODING_HELP)]),
        keyword("batch_size", None, Annotated[int | None, Parameter(help=BATCH_SIZE_HELP)]),
        keyword("recipe", None, RecipeOption),
        keyword("quiet", False, Annotated[Flag, Parameter(help=QUIET_HELP)]),
    ]
    run_command(f"predict {folder}", predict_inputs, words, parameters)


def _predict(
    trained: TrainedRun,
    inputs: Sequence[str],
    lines: "Lines | None",
    output_file: str | None,
    batch_size: int | None,
    recipe_options: dict[str, Any],
    reporter: Reporter,
) -> None:
    """Predict, and print or write the rows."""
    reporter.start_phase("loading the model")
    _ = trained.model
    reporter.start_phase("predicting")
    reporter.start_task("predictions", None)
    bad: list[str] = []
    batches = trained.predict_in_batches(
        inputs if lines is None else lines,
        batch_size,
        # A bad input among few is an error; in a file it is left out.
        None if lines is None else lambda _, error: bad.append(str(error)),
        **recipe_options,
    )
    batches = _count(batches, reporter)
    if output_file is None:
        rows = [row for batch in batches for row in batch]
        reporter.end_phase()
        print_table(rows)
    else:
        num_rows = 0
        with open_writer(output_file) as write:
            for batch in batches:
                write(batch)
                num_rows += len(batch)
        reporter.end_phase()
        if num_rows:
            num_blank = 0 if lines is None else lines.num_blank
            blank = f", {format_count(num_blank, 'blank line')} skipped" if num_blank else ""
            reporter.report_text(f"{format_count(num_rows, 'row')} written{blank}")
        else:
            print(
                f"keras-seq: warning: --output {output_file} is empty, without a header, since "
                "there are no predictions.",
                file=sys.stderr,
            )
    if bad:
        text = format_count(len(bad), "bad input")
        print(f"keras-seq: warning: left out {text}:", file=sys.stderr)
        print(
            *(show_controls(f"  {text}") for text in bad[:MAX_MESSAGES]), sep="\n", file=sys.stderr
        )


INPUT_HELP = f"File with one input per line; {STANDARD} reads the standard input."
OUTPUT_HELP = (
    "File to write the predictions to, with the suffix .jsonl, .csv or .tsv; "
    f"{STANDARD} writes JSON lines to the standard output. Default: a table."
)
ENCODING_HELP = "Encoding of the file of inputs, or of the standard input."
QUIET_HELP = "Print nothing but the predictions, warnings and errors."
BATCH_SIZE_HELP = (
    "Number of inputs that are predicted together, at least 1. Default: "
    f"{TEXT_BATCH_SIZE} texts that are classified or tagged, or {BATCH_SIZE} other inputs."
)


def _check_files(options: FirstStage) -> None:
    """Check the files of inputs and predictions before Keras is imported."""
    if options.input is not None and options.input != STANDARD:
        check_exists(options.input)
    if options.output is not None:
        check_output(options.output)


def _no_input() -> InputError:
    return InputError(
        "predict needs either inputs after the folder of the run, or a file with --input."
    )


class Lines:
    """Lines of a file of inputs that are not blank.

    Args:
        name: File, or `STANDARD`.
        encoding: Encoding of the file.
    """

    def __init__(self, name: str, encoding: str) -> None:
        self.name, self.encoding = name, encoding
        self.num_blank = 0
        """Number of blank lines so far."""

    def __iter__(self) -> Iterator[str]:
        """Yield the lines.

        Raises:
            InputError: If the input does not exist, is damaged, or has another encoding.
        """
        from keras_seq.data.files import read_lines

        if self.name == STANDARD:
            lines = _read_standard_input(self.encoding)
        else:
            lines = (line for _, line in read_lines(Path(self.name), self.encoding))
        for line in lines:
            if line.strip():
                yield line
            else:
                self.num_blank += 1


def _read_standard_input(encoding: str) -> Iterator[str]:
    """Yield the lines of the standard input as they arrive, without their ends."""
    file = io.TextIOWrapper(sys.stdin.buffer, encoding)
    number = 0
    try:
        for number, line in enumerate(file, 1):
            yield line.rstrip("\n").removeprefix("\ufeff" if number == 1 else "")
    except UnicodeError:
        raise InputError(
            f"The standard input is not {encoding} after line {number}; give --encoding."
        ) from None
    finally:
        file.detach()


def _count(batches: Iterable[list[Row]], reporter: Reporter) -> Iterator[list[Row]]:
    """Yield batches, and report how many rows there have been."""
    count = 0
    for batch in batches:
        yield batch
        count += len(batch)
        reporter.advance(count)

"""`keras-seq export`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators
from rich.markup import escape

from keras_seq._internal import startup
from keras_seq._internal.errors import InputError
from keras_seq.cli._common import RecipeOption, app, console, limited
from keras_seq.train.api import load_run
from keras_seq.train.outputs import make_reporter


@app.command
@limited
def export(
    run: Path,
    /,
    *,
    format: Literal["savedmodel", "onnx", "litert"] = "savedmodel",
    output: Path | None = None,
    num_examples: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 8,
    portable: bool = False,
    recipe: RecipeOption = None,
) -> None:
    """Export a finished run, and verify the exported model on test examples.

    Args:
        run: Folder of the run.
        format: A TensorFlow SavedModel takes and returns texts. ONNX and LiteRT models take and
            return tensors, and a file holds the vocabularies.
        output: Folder to write. Default: RUN/FORMAT.
        num_examples: Number of test examples on which the export is verified, at least 1.
        portable: With --format onnx, use only operators that runtimes other than ONNX Runtime
            also compute correctly.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
    """
    if portable and format != "onnx":
        raise InputError(f"--portable needs --format onnx, got --format {format}.")
    folder = output or run / format
    trained = load_run(run, recipe)
    if folder.exists():
        raise InputError(f"{folder} exists already: remove it, or name another with --output.")
    options = {"portable": True} if portable else {}
    with make_reporter("progress", use_stderr=True) as reporter:
        reporter.start_phase("loading the model")
        _ = trained.model
        reporter.start_phase("exporting the model")
        with startup.filtered_stderr():
            report = trained.export(format, folder, num_examples, **options)
    for name, milliseconds in report["latency_ms"].items():
        console.print(f"[bold]{name}[/] {milliseconds:.2f} ms per example")
    console.print(f"[bold]largest difference[/] {report['max_abs_error']:.1e}")
    for warning in report.get("warnings", []):
        console.print(f"[yellow]{warning}[/]")
    if "precision" in report:
        console.print(f"[bold]precision[/] {report['precision']}")
    console.print(f"[bold]exported to[/] {escape(str(folder))}")

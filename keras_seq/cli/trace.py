"""`keras-seq trace`."""

from pathlib import Path

from rich.markup import escape

from keras_seq.cli._common import RecipeOption, app, console, limited
from keras_seq.train.api import load_run
from keras_seq.train.outputs import make_reporter


@app.command
@limited
def trace(run: Path, example: str, /, *, recipe: RecipeOption = None) -> None:
    """Trace a finished run on one example and write an HTML page with gates and gradients.

    Args:
        run: Folder of the run, in which the page is written.
        example: Input that the recipe reads, such as a sentence, or the index of an example in the
            test split, from 0.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
    """
    trained = load_run(run, recipe)
    with make_reporter("progress", use_stderr=True) as reporter:
        reporter.start_phase("loading the model")
        _ = trained.model
        reporter.start_phase("tracing the example")
        page = trained.write_trace_page(example)
    console.print(f"[bold]page[/] {escape(str(page))}")

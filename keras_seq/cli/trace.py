"""`keras-seq trace`."""

from pathlib import Path

from keras_seq.cli._common import RecipeOption, app, console, limited
from keras_seq.train import runs


@app.command
@limited
def trace(run: Path, example: str, *, recipe: RecipeOption = None) -> None:
    """Trace a finished run on one example: write every gate of every time step to an HTML page.

    The page is in the folder of the run.

    Args:
        run: Folder of the run.
        example: Input that the recipe reads, such as a sentence, or the index of an example in the
            test split, from 0.
    """
    used, config, model = runs.Run(run).load(recipe)
    from keras_seq.cli._trace_page import write_example_page

    console.print(f"[bold]page[/] {write_example_page(used, config, model, example, run)}")

"""`keras-seq look`."""

from pathlib import Path

from keras_seq.cli._common import RecipeOption, app, console, limited
from keras_seq.train import runs


@app.command
@limited
def look(run: Path, text: str, *, recipe: RecipeOption = None) -> None:
    """Open a finished run while it reads: every gate at every time step, on a page in its folder.

    Args:
        run: Folder of the run.
        text: What the recipe reads, such as a sentence; or the number of a row of its test split,
            from 0.
    """
    used, config, model = runs.Run(run).load(recipe)
    from keras_seq.cli._look_page import write_page

    console.print(f"[bold]page[/] {write_page(used, config, model, text, run)}")

"""`keras-seq card`."""

from pathlib import Path

from rich.markup import escape

from keras_seq.cli._common import Flag, RecipeOption, app, console
from keras_seq.train.api import load_run


@app.command
def card(
    run: Path,
    /,
    *,
    overwrite: Flag = False,
    recipe: RecipeOption = None,
) -> None:
    """Write a model card of a finished run: README.md with data, metrics, use and limits.

    Args:
        run: Folder of the run, in which the card is written.
        overwrite: Replace a card that was edited.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
    """
    path = load_run(run, recipe).write_card(overwrite)
    console.print(f"[bold]card[/] {escape(str(path))}")

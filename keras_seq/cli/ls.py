"""`keras-seq ls`."""

from rich.table import Table

from keras_seq.cli._common import app, console
from keras_seq.train import registry, results


@app.command
def ls() -> None:
    """List the recipes and the recorded results of their presets."""
    table = Table("recipe", "preset", "seeds", "test", "minutes", "description")
    for name, recipe in sorted(registry.list_recipes().items()):
        rows = results.summarize(recipe) or [("", "", "", "")]
        for index, row in enumerate(rows):
            table.add_row(*((name, *row, recipe.description) if index == 0 else ("", *row, "")))
    console.print(table)

"""`keras-seq ls`."""

from keras_seq.cli._common import app, console, make_table
from keras_seq.train import registry, results


@app.command
def ls() -> None:
    """List the recipes and the recorded results of their presets."""
    table = make_table("recipe", "preset", "seeds", "test", "minutes", "description")
    for name, recipe in sorted(registry.list_recipes().items()):
        rows = [row[:4] for row in results.summarize(recipe)] or [("",) * 4]
        for index, row in enumerate(rows):
            table.add_row(*((name, *row, recipe.description) if index == 0 else ("", *row, "")))
    console.print(table)

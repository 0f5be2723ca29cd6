"""Writer of the recorded results in README.md and docs/results.md: `python docs/results.py`."""

import ast
from pathlib import Path

from keras_seq.train import registry, results

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGE = Path(__file__).with_suffix(".md")
BEGIN = "<!-- results: written by `python docs/results.py` from the recipes' results.json -->\n"
END = "<!-- end of results -->"


def table() -> str:
    """Return a table in Markdown with the results of all presets."""
    lines = [
        "| recipe | preset | seeds | test | minutes | machine |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, recipe in sorted(registry.list_recipes().items()):
        for row in results.summarize(recipe):
            lines.append(f"| [{name}](../recipes/{name}) | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def tasks() -> str:
    """Return a table in Markdown with the task and the main result of each recipe."""
    lines = ["| task | recipe | test | minutes |", "| --- | --- | --- | --- |"]
    for name, recipe in sorted(registry.list_recipes().items()):
        package = ast.parse((recipe.folder / "__init__.py").read_text("utf-8"))
        task = (ast.get_docstring(package) or "").rstrip(".")
        [row] = [row for row in results.summarize(recipe) if row.preset == "default"]
        main = row.metrics.split(", ")[0].replace("_", " ")
        lines.append(f"| {task} | [{name}](recipes/{name}) | {main} | {row.minutes} |")
    return "\n".join(lines) + "\n"


def update(text: str, content: str) -> str:
    """Return a page with another content between its marks."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + content + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(update(README.read_text(), tasks()))
    PAGE.write_text(update(PAGE.read_text(), table()))

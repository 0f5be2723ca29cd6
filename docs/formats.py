"""Writer of the tables in docs/formats.md: `python docs/formats.py`."""

import dataclasses
from pathlib import Path

from keras_seq.data.formats import FORMATS, Format
from keras_seq.train import registry

PAGE = Path(__file__).with_suffix(".md")
BEGIN = "<!-- formats: written by `python docs/formats.py` from keras_seq/data/formats.py -->\n"
END = "<!-- end of formats -->"


def tables() -> str:
    """Return a table in Markdown for each recipe, one row per format."""
    lines = []
    for recipe in sorted(registry.list_recipes()):
        lines += [
            f"### {recipe}",
            "",
            "| format | files | recognized by | options | test |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_row(entry, recipe) for entry in FORMATS if recipe in _recipes(entry)] + [""]
    return "\n".join(lines)


def _recipes(entry: Format) -> tuple[str, ...]:
    return (entry.recipes,) if isinstance(entry.recipes, str) else entry.recipes


def _row(entry: Format, recipe: str) -> str:
    """Return the row of a format, with the options that the recipe has."""
    fields = {field.name for field in dataclasses.fields(registry.find(recipe).preset("default"))}
    options = [f"`--{name.replace('_', '-')}`" for name in entry.options.split() if name in fields]
    files = " ".join(
        f"`{word}`" if word.startswith(".") else word.replace("|", r"\|")
        for word in entry.files.split()
    )
    file, _, test = entry.test.partition("::")
    link = f"[{test.removeprefix('test_').replace('_', ' ')}](../tests/{file})"
    return f"| {entry.name} | {files} | {entry.recognized_by} | {' '.join(options)} | {link} |"


def update(text: str) -> str:
    """Return the page with the current tables."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + tables() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(update(PAGE.read_text()))

"""Writer of the table in docs/limits.md: `python docs/limits.py`."""

import dataclasses
from pathlib import Path
from typing import Any

import docstring_parser

from keras_seq.data.limits import DataLimits

PAGE = Path(__file__).with_suffix(".md")
BEGIN = "<!-- limits: written by `python docs/limits.py` from keras_seq/data/limits.py -->\n"
END = "<!-- end of limits -->"


def table() -> str:
    """Return the table in Markdown, one row per limit."""
    fields = docstring_parser.parse_from_object(DataLimits).params
    meanings = {field.arg_name: field.description for field in fields}
    lines = ["| limit | default | meaning |", "| --- | --- | --- |"]
    for field in dataclasses.fields(DataLimits):
        default = _format(field.name, field.default)
        lines.append(f"| `{field.name}` | {default} | {meanings[field.name]} |")
    return "\n".join(lines) + "\n"


def update(text: str) -> str:
    """Return the page with the current table."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


def _format(name: str, value: Any) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if name.endswith("_bytes") and value % size == 0:
            return f"{value // size} {unit}"
    return f"{value:,.0f}"


if __name__ == "__main__":
    PAGE.write_text(update(PAGE.read_text()))

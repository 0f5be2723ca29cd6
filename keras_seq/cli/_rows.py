"""Tables of rows: on the terminal, and as JSON lines, CSV or TSV files."""

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TextIO

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq.cli._common import as_cell, console, make_table

Row = Mapping[str, Any]
"""Prediction by column. Files have lists, tuples and mappings as JSON."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".jsonl", *DELIMITERS)
STANDARD = "-"
"""File name of the standard input or output."""


def print_table(rows: Iterable[Row]) -> None:
    """Print predictions as a table with the columns of all rows, and with rounded numbers.

    Columns of mappings, such as the probabilities of all labels, are too wide for a table.
    """
    rows = list(rows)
    if not rows:
        console.print("There are no predictions.")
        return
    columns = dict.fromkeys(
        name for row in rows for name, value in row.items() if not isinstance(value, Mapping)
    )
    table = make_table(*columns)
    for row in rows:
        table.add_row(*(as_cell(format_value(row.get(name, ""))) for name in columns))
    console.print(table)


def format_value(value: Any) -> str:
    """Return a value of a row as a short text: the items of a list, or a number or text."""
    if isinstance(value, list):
        return "  ".join(map(format_value, value))
    if isinstance(value, tuple):
        return " ".join(map(format_value, value))
    is_fraction = isinstance(value, Real) and not isinstance(value, Integral)
    return f"{value:.3f}" if is_fraction else str(value)


def check_output(name: str) -> None:
    """Check the name of a file for `open_writer`.

    Raises:
        InputError: If the format is unknown, or the file exists already.
    """
    if name == STANDARD:
        return
    if Path(name).suffix not in SUFFIXES:
        raise InputError(f"--output {name} must end with {', '.join(SUFFIXES)}, or be {STANDARD}.")
    if Path(name).exists():
        raise InputError(f"--output {name} exists already. Choose another name.")


@contextlib.contextmanager
def open_writer(name: str) -> Iterator[Callable[[Iterable[Row]], None]]:
    """Yield a function that writes rows to a file, which appears when it is complete.

    Args:
        name: File with a suffix of `SUFFIXES`, or "-" for JSON lines on the standard output.
    """
    if name == STANDARD:
        yield _writer(sys.stdout, "")
        return
    with (
        atomic_write(name) as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        yield _writer(file, Path(name).suffix)


def _to_python(value: Any) -> Any:
    """Return a scalar of NumPy as a Python number, and any other value as text."""
    return value.item() if hasattr(value, "item") else str(value)


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_to_python)


def _to_cell(value: Any) -> Any:
    """Return a value of a row as a cell of a CSV file."""
    return _to_json(value) if isinstance(value, (list, tuple, Mapping)) else value


def _writer(file: TextIO, suffix: str) -> Callable[[Iterable[Row]], None]:
    if suffix not in DELIMITERS:

        def write_json_lines(rows: Iterable[Row]) -> None:
            # Together, and at once, so that a reader of a pipe gets complete rows.
            file.write("".join(f"{_to_json(row)}\n" for row in rows))
            file.flush()

        return write_json_lines
    writer: csv.DictWriter[str] | None = None

    def write_delimited(rows: Iterable[Row]) -> None:
        nonlocal writer
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row), delimiter=DELIMITERS[suffix])
                writer.writeheader()
            if new := [name for name in row if name not in writer.fieldnames]:
                raise InputError(
                    f"A prediction has the column {new[0]!r}, but the first has not; choose an "
                    "--output that ends with .jsonl."
                )
            writer.writerow({name: _to_cell(value) for name, value in row.items()})

    return write_delimited

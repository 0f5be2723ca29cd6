"""Tables of the user's own: .csv, .tsv, or JSON lines, perhaps packed by gzip."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import check_text
from keras_seq.data import limits
from keras_seq.data.files import read_lines
from keras_seq.data.json_lines import parse_object
from keras_seq.data.opening import translate_errors


def read_table(file, columns, encoding="utf-8", hint="", may_be_empty=()):
    """Some columns of a table, row by row.

    Args:
        file: .csv; .tsv or .txt, with tabs; .jsonl or .json, an object a line; or such with .gz.
        columns: What is read to what it is called in the file: `{"text": "review"}`.
        encoding: Of the file.
        hint: What the user may do where a column is missing, a sentence.
        may_be_empty: Which of what is read.

    Yields:
        The number of the line, and a value for each column, stripped of white space.

    Raises:
        InputError: There is no such column, or a value is empty; the message gives the line.
    """
    file = Path(file)
    suffix = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
    if suffix in (".jsonl", ".json"):
        table = _objects(file, encoding)
    else:
        delimiter = "\t" if suffix in (".tsv", ".txt") else ","
        table = _rows(file, encoding, delimiter, columns.values())
    number = 0
    for number, row in table:
        found = []
        for name, column in columns.items():
            if row.get(column) is None:
                there = excerpt(", ".join(str(name) for name in row if name), 200)
                raise InputError(
                    f"{file}, line {number}: there is no column {column!r}; there are {there}. "
                    f"{hint}".strip()
                )
            value, where = str(row[column]).strip(), f"{file}, line {number}"
            if not value and name not in may_be_empty:
                raise InputError(f"{where}: the {name} is empty.")
            limits.check("max_cell_characters", len(value), where, f"the length of the {name}")
            check_text(value, where)
            found.append(value)
        yield number, *found
    if not number:
        raise InputError(f"{file} has no row in it.")


def _rows(
    file: Path, encoding: str, delimiter: str, wanted: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the rows below the header of a table with a delimiter.

    Raises:
        InputError: If the header has a wanted name twice, or the table is damaged.
    """
    # `csv` has one limit per process. It is only raised, because other code may rely on it.
    csv.field_size_limit(max(csv.field_size_limit(), limits.get().max_cell_characters))
    reader = csv.DictReader(
        (line + "\n" for _, line in read_lines(file, encoding)), delimiter=delimiter
    )
    while True:
        where = f"{file}, after line {reader.line_num}"
        with translate_errors(where, "a table", csv.Error):
            row = next(reader, None)
        if row is None:
            return
        names = list(reader.fieldnames or ())
        for name in wanted:
            if names.count(name) > 1:
                raise InputError(f"{file}: the header has the name {name!r} twice.")
        yield reader.line_num, row


def _objects(file: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in read_lines(file, encoding):
        if line.strip():
            yield number, parse_object(line, f"{file}, line {number}")

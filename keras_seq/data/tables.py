"""Tables of the user's own: .csv, .tsv, or JSON lines, optionally compressed by gzip."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.unicode import check_text
from keras_seq.data import limits
from keras_seq.data.files import read_lines
from keras_seq.data.json_lines import parse_object
from keras_seq.data.opening import translate_errors


def read_table(
    file: str | os.PathLike[str],
    columns: Mapping[str, str],
    encoding: str = "utf-8",
    hint: str = "",
    may_be_empty: Collection[str] = (),
) -> Iterator[tuple[Any, ...]]:
    """Read columns of a table, one row at a time.

    Args:
        file: .csv with commas; .tsv or .txt with tabs; .jsonl or .json with one object per line.
            The suffix .gz may follow.
        columns: Dictionary from a name for messages to the name of a column in the file, such as
            `{"text": "review"}`.
        encoding: Character encoding of the file.
        hint: Advice for the user if a column is missing, as a sentence.
        may_be_empty: Keys of `columns` whose values may be empty.

    Yields:
        A tuple of the line number and the value of each column, without surrounding white space.

    Raises:
        InputError: If a column is missing, a value is empty, or the table has no rows. The message
            states the line.
        LimitError: If a value is longer than `max_cell_characters`.
    """
    file = Path(file)
    suffix = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
    if suffix in (".jsonl", ".json"):
        rows = _read_objects(file, encoding)
    else:
        delimiter = "\t" if suffix in (".tsv", ".txt") else ","
        rows = _read_rows(file, encoding, delimiter, columns.values())
    number = 0
    for number, row in rows:
        values = []
        where = f"{file}, line {number}"
        for name, column in columns.items():
            if row.get(column) is None:
                existing = excerpt(", ".join(str(key) for key in row if key), 200)
                raise InputError(
                    f"{where}: there is no column {column!r}; there are {existing}. {hint}".strip()
                )
            value = str(row[column]).strip()
            if not value and name not in may_be_empty:
                raise InputError(f"{where}: the {name} is empty.")
            limits.check("max_cell_characters", len(value), where, f"the length of the {name}")
            check_text(value, where)
            values.append(value)
        yield number, *values
    if not number:
        raise InputError(f"{file} contains no rows.")


def _read_rows(
    file: Path, encoding: str, delimiter: str, columns: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the rows below the header of a table with a delimiter.

    Raises:
        InputError: If the header contains one of the columns twice, or the table is damaged.
    """
    # `csv` has one limit per process. It is only raised, because other code may rely on it.
    csv.field_size_limit(max(csv.field_size_limit(), limits.get().max_cell_characters))
    lines = (line + "\n" for _, line in read_lines(file, encoding))
    reader = csv.DictReader(lines, delimiter=delimiter)
    while True:
        where = f"{file}, after line {reader.line_num}"
        with translate_errors(where, "a table", csv.Error):
            row = next(reader, None)
        if row is None:
            return
        names = list(reader.fieldnames or ())
        for name in columns:
            if names.count(name) > 1:
                raise InputError(f"{file}: the header has the name {name!r} twice.")
        yield reader.line_num, row


def _read_objects(file: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the JSON objects of a file with one object per line."""
    for number, line in read_lines(file, encoding):
        if line.strip():
            yield number, parse_object(line, f"{file}, line {number}")

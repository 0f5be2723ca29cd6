"""Tables of the user's own: .csv, .tsv, or JSON lines, perhaps packed by gzip."""

import csv
import json
from pathlib import Path

from keras_seq.data.files import lines
from keras_seq.errors import InputError


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
    rows = lines(file, encoding)
    suffix = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
    if suffix in (".jsonl", ".json"):
        table = _objects(file, rows)
    else:
        text = (line + "\n" for _, line in rows)
        reader = csv.DictReader(text, delimiter="\t" if suffix in (".tsv", ".txt") else ",")
        table = ((reader.line_num, row) for row in reader)
    for number, row in table:
        found = []
        for name, column in columns.items():
            if row.get(column) is None:
                there = ", ".join(str(name) for name in row if name)
                raise InputError(
                    f"{file}, line {number}: there is no column {column!r}; there are {there}. "
                    f"{hint}".strip()
                )
            value = str(row[column]).strip()
            if not value and name not in may_be_empty:
                raise InputError(f"{file}, line {number}: the {name} is empty.")
            found.append(value)
        yield number, *found


def _objects(file, rows):
    for number, line in rows:
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{file}, line {number}: this is no JSON ({error}).") from None
            if not isinstance(row, dict):
                raise InputError(f"{file}, line {number}: this is no JSON object.")
            yield number, row

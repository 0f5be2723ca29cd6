"""Columns of text and translation in tables of parallel text."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq.data.delimited import (
    Row,
    check_header,
    describe_names,
    parse_delimiter,
    read_table_rows,
)
from keras_seq.data.files import read_lines
from keras_seq.data.languages import base_language, parse_language
from keras_seq.data.row_errors import BadRows
from keras_seq.data.summaries import DELIMITER_NAMES

SOURCE_NAMES = {"source", "src", "text", "original", "source text", "source sentence"}
TARGET_NAMES = {"target", "tgt", "trg", "translation", "target text", "target sentence"}
"""Names of columns in headers, in lower case."""
SAMPLE_ROWS = 100
"""Number of rows from which delimiter and columns are detected."""
MIN_SHARE = 0.5
"""Share of rows with the same number of cells from which a delimiter is detected."""
MAX_CODE_LENGTH = 3
"""Length of the longest language code without region."""


class PairColumns(NamedTuple):
    """Columns of a table of parallel text, as `find_columns` returns them."""

    columns: tuple[int, int]
    """Indices of text and translation."""
    header: list[str] | None
    """Cells of the header, or None if the table has none."""
    notes: tuple[str, ...] = ()
    """Remarks for the user."""


def detect_pair_delimiter(
    path: str | os.PathLike[str], suffix: str, encoding: str, delimiter: str | None
) -> str:
    """Return the delimiter of a table: the user's, a tab, or the detected one of a .csv file.

    Args:
        path: File.
        suffix: Suffix of the file without .gz, in lower case.
        encoding: Encoding of the file.
        delimiter: Delimiter that the user gave, or None.

    Returns:
        In a .csv file, the first of comma, semicolon, tab and "|" that gives the most of the first
        `SAMPLE_ROWS` rows the same number of cells, at least two. Other rows are bad rows.

    Raises:
        InputError: If the share of such rows is below `MIN_SHARE` for every delimiter.
    """
    user_delimiter = parse_delimiter(delimiter)
    if user_delimiter or suffix != ".csv":
        return user_delimiter or "\t"
    shares: dict[str, float] = {}
    for candidate in DELIMITER_NAMES:
        bad_rows = BadRows("skip")  # The quotes may not fit to this delimiter.
        sample = read_table_rows(path, encoding, candidate, bad_rows)
        rows = [*itertools.islice(sample, SAMPLE_ROWS)]
        width = common_width(rows)
        num_rows = len(rows) + bad_rows.num_bad
        share = sum(len(cells) == width for _, cells in rows) / num_rows if num_rows else 1.0
        if not num_rows or width > 1:
            shares[candidate] = share
    best = max(shares, key=lambda candidate: shares[candidate], default="")
    if best and shares[best] >= MIN_SHARE:
        return best
    raise InputError(
        f"{path}: the delimiter cannot be detected, because the rows have different numbers of "
        "cells; give --delimiter."
    )


def common_width(rows: Sequence[Row]) -> int:
    """Return the most frequent number of cells of rows, or 0 without rows."""
    [(width, _)] = Counter(len(cells) for _, cells in rows).most_common(1) or [(0, 0)]
    return width


def read_pair_rows(
    path: str | os.PathLike[str], encoding: str, delimiter: str, bad_rows: BadRows | None = None
) -> Iterator[Row]:
    """Read the rows of a table of parallel text.

    Quotes between tabs are characters, because sentences may begin and end with them, unless the
    suffix of the file is .csv.

    Args:
        path: File.
        encoding: Encoding of the file.
        delimiter: Delimiter of the cells.
        bad_rows: As for `keras_seq.data.delimited.read_delimited`.

    Yields:
        Number of the line, and the cells. Blank lines are skipped.
    """
    if delimiter != "\t" or ".csv" in Path(path).name.lower():
        yield from read_table_rows(path, encoding, delimiter, bad_rows)
        return
    for number, line in read_lines(path, encoding):
        if line.strip():
            yield number, line.split("\t")


def find_columns(
    rows: Sequence[Row],
    path: object,
    languages: tuple[str, str],
    columns: str | None = None,
    header: bool | None = None,
) -> PairColumns:
    """Find the columns of text and translation in the first rows of a table.

    Args:
        rows: First rows.
        path: File, for error messages.
        languages: Codes of the source and the target language, without regions.
        columns: Columns that the user gave: two names or numbers, separated by a comma.
        header: Whether the first row is a header. Default: it is one if it has the names of two
            different languages or roles, such as "source" and "target".

    Raises:
        InputError: If the columns of the user do not exist, a column has codes in place of
            sentences, or the header has the name of a column twice.
    """
    names = [cell.strip() for cell in rows[0][1]] if rows else []
    named = None if header is False else _find_names(names, languages)
    if columns is not None:
        return _parse_user_columns(names, columns, path, header or bool(named))
    is_header = header if header is not None else named is not None
    if named:
        check_header(names, [names[column] for column in named], path)
        return PairColumns(named, names)
    # A row of another than the most frequent width is an error of that row.
    width = common_width(rows[is_header:])
    body = [cells for _, cells in rows[is_header:] if len(cells) == width]
    numeric = {
        column
        for column in range(width)
        if all(cells[column].strip().isdecimal() for cells in body)
    }
    result = PairColumns((0, 1), names if is_header else None)
    if width >= 4 and {0, 2} <= numeric:
        result = result._replace(columns=(1, 3), notes=("columns 1 and 3 are numbers",))
    elif width >= 3 and 0 in numeric and not {1, 2} & numeric:
        result = result._replace(columns=(1, 2), notes=("column 1 has numbers",))
    elif width > 2:
        result = result._replace(notes=(f"the first two of {width} columns",))
    for column in result.columns if width > 2 and len(body) > 1 else ():
        if all(_is_short_code(cells[column]) for cells in body):
            raise InputError(
                f"{path}: column {column + 1} has language codes, not sentences; give the columns "
                "of text and translation by --columns."
            )
    return result


def _find_names(names: Sequence[str], languages: tuple[str, str]) -> tuple[int, int] | None:
    """Return the columns of a header that name two different languages or roles."""
    roles: dict[str, int] = {}
    for column, name in enumerate(names):
        role = _role(name, languages)
        if role is not None:
            roles.setdefault(role, column)
    if {"source", "target"} <= {*roles}:
        return roles["source"], roles["target"]
    if len(roles) == 2 and len(names) == 2:
        first, second = roles.values()
        swap = ("target" in roles and roles["target"] == first) or roles.get("source") == second
        return (second, first) if swap else (first, second)
    return None


def _role(name: str, languages: tuple[str, str]) -> str | None:
    """Return "source", "target", the code of another language, or None."""
    if name.lower() in SOURCE_NAMES | TARGET_NAMES:
        return "source" if name.lower() in SOURCE_NAMES else "target"
    language = parse_language(name)
    if language is None:
        return None
    base = base_language(language)
    # Many codes are words too, such as "is" and "no". Only those of the two languages count.
    if base not in languages and len(name) <= MAX_CODE_LENGTH:
        return None
    return dict(zip(languages, ("source", "target"))).get(base, base)


def _is_short_code(cell: str) -> bool:
    return parse_language(cell) is not None and len(cell.strip()) <= MAX_CODE_LENGTH


def _parse_user_columns(
    names: list[str], columns: str, path: object, is_header: bool
) -> PairColumns:
    """Return the columns that the user gave."""
    user_columns = [column.strip() for column in columns.split(",")]
    if len(user_columns) == 2 and {*user_columns} <= {*names}:
        check_header(names, user_columns, path)
        return PairColumns((names.index(user_columns[0]), names.index(user_columns[1])), names)
    numbers = [int(column) - 1 for column in user_columns if column.isdecimal()]
    if len(user_columns) != 2 or len(numbers) != 2 or not all(0 <= n < len(names) for n in numbers):
        raise InputError(
            f"{path}: --columns {columns} must be two names or numbers, separated by a comma; "
            f"there are {len(names)} columns: {describe_names(names)}."
        )
    return PairColumns((numbers[0], numbers[1]), names if is_header else None)

"""Tables of the user's own: delimited text, JSON lines, JSON arrays, or Parquet."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq._internal.unicode import check_text
from keras_seq.data import limits, summaries
from keras_seq.data.delimited import (
    check_header,
    describe_names,
    detect_delimiter,
    parse_delimiter,
    read_table_rows,
)
from keras_seq.data.encodings import detect_format
from keras_seq.data.json_lines import read_objects
from keras_seq.data.opening import unpacked_suffix
from keras_seq.data.parquet import read_parquet
from keras_seq.data.row_errors import BadRows

JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")
TAB_SUFFIXES = (".tsv", ".tab", ".txt")
"""Suffixes of tables whose delimiter is a tab, unless the header says otherwise."""


Parse = Callable[..., Sequence[Any]]
"""Function from the place and the values of a row to what is read from it."""


class _Source(NamedTuple):
    """Rows of a table, and what was detected."""

    rows: Iterator[tuple[int, dict[str, Any]]]
    """Rows as dictionaries from column names to values, with their numbers."""
    unit: str
    """What the numbers count: "line", "element" or "row"."""
    has_schema: bool
    """True if all rows have the same columns, so that a missing one is an error of the file."""
    summary: summaries.ReadSummary


class Table:
    """Rows of some columns of a table, read one at a time.

    Args: As for `read_table`.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        columns: Mapping[str, str],
        encoding: str = "utf-8",
        hint: str = "",
        may_be_empty: Collection[str] = (),
        delimiter: str | None = None,
        parse: Parse | None = None,
    ) -> None:
        self._parse = parse
        self._file, self._columns, self._hint = Path(file), columns, hint
        self._encoding, self._may_be_empty, self._delimiter = encoding, may_be_empty, delimiter
        self.summary = summaries.ReadSummary(str(file), "table", 0, columns=columns)
        """Summary of the rows that were read in the last iteration."""
        self.bad_rows = BadRows()
        """Bad rows of the last iteration so far."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield rows as `read_table` does."""
        file, delimiter = self._file, parse_delimiter(self._delimiter)
        self.bad_rows = bad_rows = BadRows()
        source = _open(file, [*self._columns.values()], self._encoding, delimiter, bad_rows)
        is_new, num_blank = source.has_schema, 0
        for number, row in source.rows:
            where = f"{file}, {source.unit} {number}"
            if source.summary.delimiter and not any(cell.strip() for cell in row.values()):
                num_blank += 1
                continue
            if is_new:
                self._check_columns(row, where)
                is_new = False
            with bad_rows:
                values = self._read_values(row, where)
                yield number, *values
        left_out = {"rows without content": num_blank} if num_blank else {}
        self.summary = bad_rows.finish(
            source.summary.replace(
                num_rows=bad_rows.num_good, columns=self._columns, left_out=left_out
            )
        )
        if not bad_rows.num_good:
            raise InputError(f"{file} contains no rows.")

    def _read_values(self, row: Mapping[str, Any], where: str) -> Sequence[Any]:
        """Return the values of the columns, after checks."""
        self._check_columns(row, where)
        values = [self._value(row, name, where) for name in self._columns]
        return values if self._parse is None else self._parse(where, *values)

    def _check_columns(self, row: Mapping[str, Any], where: str) -> None:
        for column in self._columns.values():
            if column not in row:
                existing = describe_names(key for key in row if key)
                message = f"{where}: there is no column {column!r}; there are {existing}."
                raise InputError(f"{message} {self._hint}".strip())

    def _value(self, row: Mapping[str, Any], name: str, where: str) -> str:
        """Return the value of one of the columns, after checks."""
        value = _to_text(row[self._columns[name]], where, name)
        if not value and name not in self._may_be_empty:
            raise InputError(f"{where}: the {name} is empty.")
        limits.check("max_cell_characters", len(value), where, f"the length of the {name}")
        check_text(value, where)
        return value


def read_table(
    file: str | os.PathLike[str],
    columns: Mapping[str, str],
    encoding: str = "utf-8",
    hint: str = "",
    may_be_empty: Collection[str] = (),
    delimiter: str | None = None,
    parse: Parse | None = None,
) -> Iterator[tuple[Any, ...]]:
    r"""Read columns of a table, one row at a time.

    Quotes are read as `keras_seq.data.delimited.read_delimited` describes. Rows whose cells are all
    empty are left out. A `keras_seq.data.summaries.ReadSummary` says what was detected.

    Args:
        file: .csv, .tsv or .txt with a header; .jsonl or .json with one object per line or an
            array of objects; .parquet. The suffix .gz may follow, except for .parquet.
        columns: Dictionary from a name for messages to the name of a column in the file, such as
            `{"text": "review"}`. If they are numbers, from 1, and not all in the first row, the
            table has no header.
        encoding: Character encoding of the file.
        hint: Advice for the user if a column is missing, as a sentence.
        may_be_empty: Keys of `columns` whose values may be empty.
        delimiter: Delimiter of the columns, as for `keras_seq.data.delimited.parse_delimiter`.
            Default: the one of comma, semicolon, tab and "|" with which the header has the columns.
        parse: Function that replaces the values of a row. It gets the place of the row, such as
            "a.csv, line 3", and the values. An `InputError` that it raises is that of the row: see
            `keras_seq.data.row_errors`.

    Yields:
        A tuple of the line number and the value of each column, without surrounding white space.

    Raises:
        InputError: If a column is missing, a value is empty, a row has more cells than the header,
            or the table has no rows. The message states the line.
        LimitError: If a value is longer than `max_cell_characters`.
    """
    table = Table(file, columns, encoding, hint, may_be_empty, delimiter, parse)
    yield from table
    summaries.add(table.summary)


def _to_text(value: Any, where: str, name: str) -> str:
    """Return a value of a table as text without surrounding white space."""
    if value is None:
        return ""
    if isinstance(value, (list, dict, bytes)):
        kind = {list: "a list", dict: "an object", bytes: "bytes"}[type(value)]
        raise InputError(f"{where}: the {name} is {kind}; a text or a number is needed.")
    return str(value).strip()


def _open(
    file: Path,
    columns: Collection[str],
    encoding: str,
    delimiter: str | None,
    bad_rows: BadRows,
) -> _Source:
    """Return the rows of a table of any format."""
    suffix = unpacked_suffix(file)
    if suffix == ".parquet":
        summary = summaries.ReadSummary(str(file), "Parquet", 0)
        return _Source(read_parquet(file, columns), "row", True, summary)
    encoding_name = str(detect_format(file, encoding))
    if suffix in JSON_SUFFIXES:
        unit, rows = read_objects(file, encoding, bad_rows)
        name = "JSON lines" if unit == "line" else "JSON array"
        return _Source(rows, unit, False, summaries.ReadSummary(str(file), name, 0, encoding_name))
    default = "\t" if suffix in TAB_SUFFIXES else ","
    delimiter = delimiter or detect_delimiter(file, encoding, columns, default)
    names = next((row for _, row in read_table_rows(file, encoding, delimiter)), [])
    has_header = not _are_numbers(columns, names)
    name = "tab-separated text" if delimiter == "\t" else "delimited text"
    return _Source(
        _read_rows(file, encoding, delimiter, columns, has_header, bad_rows),
        "line",
        True,
        summaries.ReadSummary(str(file), name, 0, encoding_name, delimiter, has_header),
    )


def _are_numbers(columns: Collection[str], names: Collection[str]) -> bool:
    """Return whether columns are given by number, so that a table has no header."""
    return all(map(str.isdecimal, columns)) and not {*names}.issuperset(columns)


def _read_rows(
    file: Path,
    encoding: str,
    delimiter: str,
    columns: Collection[str],
    has_header: bool,
    bad_rows: BadRows,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the rows of delimited text as dictionaries from column names to cells.

    Raises:
        InputError: If the header contains one of the columns twice, or a row has more cells than
            the header, or too few.
    """
    names: list[str] | None = None
    for number, cells in read_table_rows(file, encoding, delimiter, bad_rows):
        if names is None and has_header:
            names = [name.strip() for name in cells]
            check_header(names, columns, file)
            continue
        if names is None:
            names = [str(position) for position in range(1, len(cells) + 1)]
        row = dict(zip(names, cells))
        missing = [column for column in columns if column in names and column not in row]
        if any(cell.strip() for cell in cells[len(names) :]):
            reason = (
                f"the row has {len(cells)} cells, but the "
                f"{'header' if has_header else 'first row'} has {len(names)}; enclose cells that "
                f"contain the delimiter {summaries.DELIMITER_NAMES.get(delimiter, delimiter)!r} in "
                "double quotes, or give --delimiter."
            )
        elif missing and any(map(str.strip, cells)):
            reason = (
                f"the row has {len(cells)} cell{'s' * (len(cells) != 1)}, so that the column "
                f"{missing[0]!r} is missing."
            )
        else:
            yield number, row
            continue
        bad_rows.add(InputError(f"{file}, line {number}: {reason}"))

"""Rows of delimited text: comma-separated and tab-separated values, and their delimiters."""

from __future__ import annotations

import csv
import os
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits
from keras_seq.data.files import read_lines
from keras_seq.data.row_errors import BadRows
from keras_seq.data.summaries import DELIMITER_NAMES

Lines = Iterable[tuple[int, str]]
"""Lines with their numbers, as `keras_seq.data.read_lines` yields them."""
Row = tuple[int, list[str]]
"""Number of the last line of a row, and its cells."""

_DELIMITER_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
"""Pattern of a first line by which spreadsheets state the delimiter."""


def parse_delimiter(text: str | None) -> str | None:
    r"""Return the delimiter that an option names.

    >>> parse_delimiter("tab"), parse_delimiter(";"), parse_delimiter(None)
    ('\t', ';', None)

    Args:
        text: One character, "tab", "\\t" or another name in `DELIMITER_NAMES`, or None.

    Raises:
        InputError: If it is none of these, or is a quote or a line end.
    """
    if text is None:
        return None
    if not is_delimiter(text):
        raise InputError(
            f"--delimiter must be one character other than a quote, or tab, not {text!r}."
        )
    return _NAMES.get(text.lower(), text)


_NAMES = {"\\t": "\t", **{name: character for character, name in DELIMITER_NAMES.items()}}
"""Names of delimiters, as options name them."""


def is_delimiter(text: str) -> bool:
    """Return whether a text is one character, no quote or line end, or a name of one."""
    delimiter = _NAMES.get(text.lower(), text)
    return len(delimiter) == 1 and delimiter not in '"\r\n'


def read_delimited(
    lines: Lines, delimiter: str, where: object, bad_rows: BadRows | None = None
) -> Iterator[Row]:
    r"""Split lines of delimited text into rows of cells.

    A cell may be enclosed in double quotes, with each quote inside doubled. Within quotes a line
    end is part of the cell. If the delimiter is a tab, an unpaired quote is a character: a quote
    counts only if it is at the beginning of a cell and closes before the next tab. With other
    delimiters, quotes that are not closed or not doubled are an error, since reading on would merge
    or cut rows.

    Args:
        lines: Numbered lines.
        delimiter: Delimiter of the cells.
        where: File, for error messages.
        bad_rows: Collection of rows with wrong quotes, if these may be left out. The line after the
            first of such a row begins another row.

    Yields:
        Number of the last line, and the cells. Blank lines are skipped.

    Raises:
        InputError: If quotes are wrong.
        LimitError: If a cell is too long.
    """
    if delimiter == "\t":
        return _read_tabs(iter(lines))
    return _read_csv(iter(lines), delimiter, where, bad_rows or BadRows("strict"))


def _read_csv(
    lines: Iterator[tuple[int, str]], delimiter: str, where: object, bad_rows: BadRows
) -> Iterator[Row]:
    # `csv` has one limit per process. It is only raised, because other code may rely on it.
    csv.field_size_limit(max(csv.field_size_limit(), limits.get().max_cell_characters))
    row_lines: list[tuple[int, str]] = []
    waiting: deque[tuple[int, str]] = deque()

    def next_lines() -> Iterator[str]:
        while (line := waiting.popleft() if waiting else next(lines, None)) is not None:
            row_lines.append(line)
            yield line[1] + "\n"

    reader = csv.reader(next_lines(), delimiter=delimiter, strict=True)
    while True:
        row_lines.clear()
        try:
            row = next(reader, None)
        except csv.Error as error:
            bad_rows.add(
                InputError(
                    f"{where}, line {row_lines[0][0]}: the row is not valid CSV ({error}); a "
                    "quoted cell ends with a quote, and quotes within it are doubled."
                )
            )
            waiting.extendleft(reversed(row_lines[1:]))
            if waiting:
                reader = csv.reader(next_lines(), delimiter=delimiter, strict=True)
            continue
        if row is None:
            return
        if row:
            yield row_lines[-1][0], row


def _read_tabs(lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    waiting: deque[tuple[int, str]] = deque()
    num_columns = 0

    def following() -> Iterator[tuple[int, str]]:
        """Yield the next lines, which stay in `waiting` until they are used."""
        yield from tuple(waiting)
        for line in lines:
            waiting.append(line)
            yield line

    while True:
        number, line = waiting.popleft() if waiting else next(lines, (0, ""))
        if not number:
            return
        if not line.strip():
            continue
        cells: list[str] = []
        while True:
            *whole, last = line.split("\t")
            cells += map(_unquote, whole)
            # A table of one column has no tabs that tell whether a line is a row by itself.
            open_text = _open_text(last) if num_columns != 1 else None
            closing = None if open_text is None else _find_close(open_text, following())
            if closing is None:
                cells.append(_unquote(last))
                break
            cell, num_lines, rest = closing
            for _ in range(num_lines):
                number, _ = waiting.popleft()
            cells.append(cell)
            if rest is None:
                break
            line = rest
        num_columns = num_columns or len(cells)
        yield number, cells


def _unquote(cell: str) -> str:
    """Return a cell without the quotes that enclose it, if they are paired."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', ""):
        return cell[1:-1].replace('""', '"')
    return cell


def _open_text(cell: str) -> str | None:
    """Return the text after the quote that begins a cell, or None if it is closed or unpaired."""
    text = cell[1:]
    return text if cell.startswith('"') and '"' not in text.replace('""', "") else None


def _find_close(text: str, lines: Iterator[tuple[int, str]]) -> tuple[str, int, str | None] | None:
    """Find the quote that closes a cell on a later line before the next tab.

    Args:
        text: Text of the cell up to the end of its first line, after the quote.
        lines: Following lines.

    Returns:
        The cell, the number of lines that it goes on for, and the rest of the last line after the
        tab, or None if nothing follows. None if no quote closes the cell.
    """
    parts, length = [text], len(text)
    for count, (_, line) in enumerate(lines, 1):
        part, tab, rest = line.partition("\t")
        length += len(part) + 1
        if length > limits.get().max_cell_characters:
            return None
        if part.endswith('"') and '"' not in part[:-1].replace('""', ""):
            cell = "\n".join([*parts, part[:-1]]).replace('""', '"')
            return cell, count, rest if tab else None
        if tab or '"' in part.replace('""', ""):
            return None
        parts.append(part)
    return None


def detect_delimiter(
    path: str | os.PathLike[str], encoding: str, columns: Collection[str], default: str
) -> str:
    """Return the delimiter with which the header of a table has all of some columns.

    Args:
        path: File.
        encoding: Encoding of the file.
        columns: Names of columns.
        default: Delimiter to try first.

    Returns:
        The first such delimiter among the default, comma, semicolon, tab and vertical bar. Without
        one, the delimiter with most columns.
    """
    stated = _DELIMITER_LINE.fullmatch(next(read_lines(path, encoding), (1, ""))[1])
    if stated:
        return stated[1]
    num_columns = {}
    for delimiter in dict.fromkeys((default, *DELIMITER_NAMES)):
        try:
            names = next(read_table_rows(path, encoding, delimiter), (0, []))[1]
        except limits.LimitError:
            raise
        except InputError:  # The quotes of the header do not fit to this delimiter.
            names = []
        if {*columns} <= {name.strip() for name in names}:
            return delimiter
        num_columns[delimiter] = len(names)
    return max(num_columns, key=lambda delimiter: num_columns[delimiter])


def read_table_rows(
    path: str | os.PathLike[str], encoding: str, delimiter: str, bad_rows: BadRows | None = None
) -> Iterator[Row]:
    """Read the rows of a file of delimited text, without a line that states the delimiter.

    Args:
        path: File.
        encoding: Encoding of the file.
        delimiter: Delimiter of the cells.
        bad_rows: As for `read_delimited`.

    Raises:
        InputError: As `read_delimited` raises, or if the file cannot be read.
    """
    lines = (
        line
        for line in read_lines(path, encoding)
        if not (line[0] == 1 and _DELIMITER_LINE.fullmatch(line[1]))
    )
    return read_delimited(lines, delimiter, path, bad_rows)


def describe_names(names: Iterable[object]) -> str:
    """Return names of columns for an error message, on one line and not too long.

    Args:
        names: Names, as read from a file.
    """
    return excerpt(", ".join(" ".join(str(name).split()) for name in names), 200)


def check_header(names: Collection[str], columns: Collection[str], where: object) -> None:
    """Check that a header has no column twice that is to be read.

    Args:
        names: Names in the header.
        columns: Names of the columns to read.
        where: File, for error messages.

    Raises:
        InputError: If it has one twice.
    """
    for name in columns:
        if [*names].count(name) > 1:
            raise InputError(f"{where}: the header has the name {excerpt(name)!r} twice.")

"""Parsing of JSON Lines, and of files with one JSON array of objects."""

import collections
import json
import math
import os
import re
from collections.abc import Iterator
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits
from keras_seq.data.files import read_first_line, read_lines
from keras_seq.data.row_errors import BadRows

ARRAY = re.compile(r"\s*\[\s*(\{|\]|$)")
"""Pattern of the first line of a file with one array of objects."""
_BLANKS = re.compile(r"[ \t\n\r]*")
"""Pattern of white space between JSON values."""


def read_objects(
    path: str | os.PathLike[str], encoding: str = "utf-8", bad_rows: BadRows | None = None
) -> tuple[str, Iterator[tuple[int, dict[str, Any]]]]:
    """Read JSON lines, or a JSON array of objects.

    Args:
        path: File. An array is read at once, so `max_document_bytes` limits its size.
        encoding: Character encoding of the file.
        bad_rows: Collection of lines or elements that are not objects, if these may be left out.

    Returns:
        "line" or "element", and an iterator over the objects with their numbers of that unit.

    Raises:
        InputError: If a line or an element is not a JSON object.
        LimitError: If the JSON is too large.
    """
    bad_rows = bad_rows or BadRows("strict")
    first = read_first_line(path, encoding)
    if ARRAY.match(first):
        return "element", _read_array(path, encoding, bad_rows)
    return "line", _read_objects(path, encoding, bad_rows)


def _read_objects(
    path: str | os.PathLike[str], encoding: str, bad_rows: BadRows
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in read_lines(path, encoding):
        if line.strip():
            try:
                content = parse_object(line, f"{path}, line {number}")
            except InputError as error:
                bad_rows.add(error)
                continue
            yield number, content


def _read_array(
    path: str | os.PathLike[str], encoding: str, bad_rows: BadRows
) -> Iterator[tuple[int, dict[str, Any]]]:
    lines, size = [], 0
    for _, line in read_lines(path, encoding):
        size += len(line) + 1
        limits.check("max_document_bytes", size, path, "the size of the JSON array")
        lines.append(line)
    for number, item in enumerate(_parse_array("\n".join(lines), str(path)), 1):
        if isinstance(item, dict):
            yield number, item
        else:
            bad_rows.add(InputError(f"{path}, element {number}: it is not a JSON object."))


def _parse_array(text: str, path: str) -> Iterator[Any]:
    """Yield the elements of a JSON array one at a time, so that errors have their numbers."""
    number, position = 0, _skip_blanks(text, text.index("[") + 1)
    follows = text[position : position + 1] != "]"
    while follows:
        number += 1
        where = f"{path}, element {number}"
        value, position = _parse(text, where, _skip_blanks(text, position))
        yield value
        position = _skip_blanks(text, position)
        if text[position : position + 1] not in (",", "]"):
            error = json.JSONDecodeError("Expecting ',' or ']'", text, position)
            raise InputError(_describe(error, where))
        follows = text[position] == ","
        position += follows
    if text[position + 1 :].strip():
        raise InputError(f"{path}: text follows the JSON array.")


def _skip_blanks(text: str, position: int) -> int:
    """Return the position of the next character that is not white space."""
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def _describe(error: json.JSONDecodeError, where: str) -> str:
    """Return the message for text that is not JSON."""
    place = f"line {error.lineno}" if "\n" in error.doc else "the line"
    return f"{where}: {place} is not JSON: {error.msg} at character {error.colno}."


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Parse a line with a JSON object.

    Args:
        line: Line of text.
        where: File and line number, for error messages.

    Raises:
        InputError: If the line is not a JSON object, or an object has duplicate names.
        LimitError: If the JSON is nested too deeply, or a number is too long.
    """
    value, end = _parse(line, where, _skip_blanks(line, 0))
    if line[end:].strip():
        raise InputError(_describe(json.JSONDecodeError("Extra data", line, end), where))
    if not isinstance(value, dict):
        raise InputError(f"{where}: the line is not a JSON object.")
    return value


class _Decoder(json.JSONDecoder):
    """Decoder of numbers of limited size and of objects that have no name twice.

    NaN, which some programs write for a missing value, is read as null.

    Args:
        where: File and place, for error messages.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        super().__init__(
            parse_int=self._parse_int,
            parse_float=self._parse_float,
            parse_constant=self._parse_constant,
            object_pairs_hook=self._make_object,
        )

    def _check_digits(self, digits: str) -> None:
        what = "the length of a number in digits"
        limits.check("max_number_digits", len(digits), self._where, what)

    def _parse_int(self, digits: str) -> int:
        self._check_digits(digits)
        try:
            return int(digits)
        except ValueError:  # Python converts at most 4,300 digits by default.
            raise InputError(
                f"{self._where}: a number has {len(digits)} digits, too many to parse."
            ) from None

    def _parse_float(self, digits: str) -> float:
        self._check_digits(digits)
        if math.isinf(float(digits)):
            raise InputError(f"{self._where}: the number {excerpt(digits)} is too large.")
        return float(digits)

    def _parse_constant(self, name: str) -> None:
        if name != "NaN":
            raise InputError(f"{self._where}: {name} is not a number in JSON.")

    def _make_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            [(name, _)] = collections.Counter(name for name, _ in pairs).most_common(1)
            raise InputError(
                f"{self._where}: a JSON object has the duplicate name {excerpt(name)!r}."
            )
        return content


def _parse(text: str, where: str, start: int) -> tuple[Any, int]:
    """Parse a JSON value of limited depth.

    Args:
        text: Text.
        where: File and place, for error messages.
        start: Position of the value.

    Returns:
        The value, and the position of its end.
    """
    try:
        value, end = _Decoder(where).raw_decode(text, start)
    except RecursionError:
        max_depth = limits.get().max_depth
        raise limits.LimitError(
            f"{where}: JSON is nested too deeply to parse; the limit max_depth is {max_depth}."
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(_describe(error, where)) from None
    if text.count("[", start, end) + text.count("{", start, end) > limits.get().max_depth:
        limits.check("max_depth", _depth(value), where, "the depth of JSON")
    return value, end


def _depth(value: Any) -> int:
    """Return the depth of nested lists and objects."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [
            inner for item in level for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return depth

"""Parsing of JSON Lines, and of files with one JSON array of objects."""

import collections
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits
from keras_seq.data.files import read_lines
from keras_seq.data.row_errors import BadRows

ARRAY = re.compile(r"\s*\[\s*(\{|\]|$)")
"""Pattern of the first line of a file with one array of objects."""


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
    first = next((line for _, line in read_lines(path, encoding) if line.strip()), "")
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
    value = _parse("\n".join(lines), f"{path}")
    for number, item in enumerate(value, 1):
        if isinstance(item, dict):
            yield number, item
        else:
            bad_rows.add(InputError(f"{path}, element {number}: it is not a JSON object."))


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Parse a line with a JSON object.

    Args:
        line: Line of text.
        where: File and line number, for error messages.

    Raises:
        InputError: If the line is not a JSON object, or an object has duplicate names.
        LimitError: If the JSON is nested too deeply, or a number is too long.
    """
    value = _parse(line, where)
    if not isinstance(value, dict):
        raise InputError(f"{where}: the line is not a JSON object.")
    return value


def _parse(text: str, where: str) -> Any:
    """Parse a JSON value of limited depth whose objects have no name twice."""

    def integer(digits: str) -> int:
        limits.check("max_number_digits", len(digits), where, "the length of a number in digits")
        try:
            return int(digits)
        except ValueError:  # Python converts at most 4,300 digits by default.
            raise InputError(
                f"{where}: a number has {len(digits)} digits, too many to parse."
            ) from None

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            [(name, _)] = collections.Counter(name for name, _ in pairs).most_common(1)
            raise InputError(f"{where}: a JSON object has the duplicate name {excerpt(name)!r}.")
        return names

    try:
        value = json.loads(text, parse_int=integer, object_pairs_hook=unique)
    except InputError:
        raise
    except RecursionError:
        max_depth = limits.get().max_depth
        raise limits.LimitError(
            f"{where}: JSON is nested too deeply to parse; the limit max_depth is {max_depth}."
        ) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}" if "\n" in text else "the line"
        reason = f"{error.msg} at character {error.colno}"
        raise InputError(f"{where}: {place} is not JSON: {reason}.") from None
    if text.count("[") + text.count("{") > limits.get().max_depth:
        limits.check("max_depth", _depth(value), where, "the depth of JSON")
    return value


def _depth(value: Any) -> int:
    """Return the depth of nested lists and objects."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [
            inner for item in level for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return depth

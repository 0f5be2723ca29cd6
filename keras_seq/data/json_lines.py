"""Parsing of JSON Lines."""

import collections
import json
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Parse a line with a JSON object.

    Args:
        line: Line of text.
        where: File and line number, for error messages.

    Raises:
        InputError: If the line is not a JSON object, or an object has duplicate names.
        LimitError: If the JSON is nested too deeply, or a number is too long.
    """

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
        value = json.loads(line, parse_int=integer, object_pairs_hook=unique)
    except InputError:
        raise
    except RecursionError:
        max_depth = limits.get().max_depth
        raise limits.LimitError(
            f"{where}: JSON is nested too deeply to parse; the limit max_depth is {max_depth}."
        ) from None
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos + 1}"
        raise InputError(f"{where}: the line is not JSON: {reason}.") from None
    if line.count("[") + line.count("{") > limits.get().max_depth:
        limits.check("max_depth", _depth(value), where, "the depth of JSON")
    if not isinstance(value, dict):
        raise InputError(f"{where}: the line is not a JSON object.")
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

"""JSON objects from lines of text."""

import collections
import json
from typing import Any

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Parse one line that holds a JSON object.

    Args:
        line: Text.
        where: File and line, for the message.

    Raises:
        InputError: If it is not a JSON object, or an object has a name twice.
        LimitError: If it is nested too deep, or a number is too long.
    """

    def integer(digits: str) -> int:
        limits.check("max_number_digits", len(digits), where, "the length of a number in digits")
        try:
            return int(digits)
        except ValueError:  # Python converts 4,300 digits unless told otherwise.
            raise InputError(f"{where}: a number has {len(digits)} digits.") from None

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            [(name, _)] = collections.Counter(name for name, _ in pairs).most_common(1)
            raise InputError(
                f"{where}: the name {excerpt(name)!r} is given twice in one JSON object."
            )
        return names

    try:
        value = json.loads(line, parse_int=integer, object_pairs_hook=unique)
    except InputError:
        raise
    except RecursionError:
        most = limits.get().max_depth
        raise limits.LimitError(
            f"{where}: JSON is nested deeper than can be read; the limit max_depth is {most}."
        ) from None
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos + 1}"
        raise InputError(f"{where}: this is not JSON: {reason}.") from None
    if line.count("[") + line.count("{") > limits.get().max_depth:
        limits.check("max_depth", _depth(value), where, "the depth of JSON")
    if not isinstance(value, dict):
        raise InputError(f"{where}: this is not a JSON object.")
    return value


def _depth(value: Any) -> int:
    """Return the number of lists and objects around the innermost value."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, (dict, list))]:
        depth += 1
        level = [
            inner for part in level for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return depth

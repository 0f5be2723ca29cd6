"""Conversion between JSON values and arrays, shared by both protocols."""

import base64
import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array, Shape

MAX_RANK = 32
"""Maximum number of axes of an array."""

JSON_TYPES = {
    str: "a string",
    bool: "true or false",
    float: "a number with a fraction",
    int: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
"""Names of JSON values in errors, by Python type."""


VALUE_TYPES: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}}
"""Allowed types of JSON values by kind of NumPy dtype. Default: `int` and `float`."""


class TensorSpec(NamedTuple):
    """Type and shape of an input or output of a signature."""

    dtype: str
    """TensorFlow's name of the dtype."""
    shape: Shape | None
    """Sizes, None for any size; None if the rank is unknown."""


class SignatureSpec(NamedTuple):
    """Inputs and outputs of a signature, by name."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


class ParsedRequest(NamedTuple):
    """Signature, inputs and response format of a request."""

    signature: str
    """Name of the signature."""
    arrays: dict[str, Array]
    """Inputs by name."""
    response_format: Any
    """Format of the response, as the protocol defines it."""


def flatten_lists(label: str, value: Any, rank: int) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of nested lists, and their values in one list.

    Args:
        label: Name of the input, for error messages.
        value: A value, or nested lists of values.
        rank: Depth of nesting, 0 to `MAX_RANK`.

    Raises:
        InputError: If the depth is not `rank`, or lists at one level differ in length.
    """
    shape, values = [], [value]
    if rank > MAX_RANK:
        raise InputError(f"{label} has lists nested {rank} deep: at most {MAX_RANK} are allowed.")
    for _ in range(rank):
        sizes = {len(v) if type(v) is list else -1 for v in values} or {0}
        if -1 in sizes:
            raise InputError(f"{label} must be lists nested {rank} deep.")
        if len(sizes) > 1:
            raise InputError(f"{label} has lists of different lengths at one level.")
        shape.append(sizes.pop())
        values = list(chain.from_iterable(values))
    return tuple(shape), values


def parse_nested(label: str, spec: TensorSpec, value: Any) -> Array:
    """Convert nested lists to an array that fits a spec.

    Args:
        label: Name of the input, for error messages.
        spec: Expected dtype and shape.
        value: A value, or nested lists of values.

    Raises:
        InputError: If the lists do not fit the spec.
    """
    if spec.shape is None:
        rank, inner = 0, value
        while type(inner) is list:
            rank, inner = rank + 1, inner[0] if inner else None
    else:
        rank = len(spec.shape)
    return to_array(label, spec, *flatten_lists(label, value, rank))


def to_array(label: str, spec: TensorSpec, shape: tuple[int, ...], values: list[Any]) -> Array:
    """Convert flat values to an array that fits a spec.

    Args:
        label: Name of the input, for error messages.
        spec: Expected dtype and shape.
        shape: Shape of the array.
        values: JSON values in row-major order.

    Returns:
        Array of the spec's dtype; for strings, an object array of bytes.

    Raises:
        InputError: If the array is empty, or the shape or a value does not fit the spec.
    """
    if 0 in shape:
        raise InputError(f"{label} is empty: it has the shape {shape}.")
    if spec.shape is not None and not is_compatible(shape, spec.shape):
        raise InputError(
            f"{label} has the shape {shape}; the model takes {format_shape(spec.shape)}."
        )
    if spec.dtype == "string":
        strings = np.empty(len(values), object)
        strings[:] = [to_bytes(label, value) for value in values]
        return strings.reshape(shape)
    dtype = np.dtype(spec.dtype)
    allowed = VALUE_TYPES.get(dtype.kind, {int, float})
    wrong = set(map(type, values)) - allowed
    if wrong:
        raise InputError(
            f"{label} holds {JSON_TYPES.get(wrong.pop(), 'something')}; the model takes "
            f"{spec.dtype}."
        )
    try:
        # Too large numbers become infinite, and are rejected below.
        with np.errstate(over="ignore"):
            array = np.array(values, dtype).reshape(shape)
    except OverflowError:
        raise InputError(f"{label} holds a number out of range for {spec.dtype}.") from None
    if dtype.kind not in "biu" and not np.isfinite(array.astype("float64")).all():
        raise InputError(f"{label} holds a number out of range for {spec.dtype}.")
    return array


def to_bytes(label: str, value: Any) -> bytes:
    """Encode a string as UTF-8, or decode the Base64 text of `{"b64": text}`.

    Args:
        label: Name of the input, for error messages.
        value: JSON value.

    Raises:
        InputError: If the value is neither, or cannot be encoded or decoded.
    """
    try:
        if type(value) is dict and set(value) == {"b64"}:
            return base64.b64decode(value["b64"], validate=True)
        if type(value) is str:
            return value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{label} holds an unpaired surrogate, which is invalid text.") from None
    except (TypeError, ValueError):
        raise InputError(f"{label} has a 'b64' that is not valid Base64.") from None
    raise InputError(f"{label} holds {JSON_TYPES.get(type(value))}; the model takes strings.")


def is_compatible(shape: Sequence[int], expected: Shape) -> bool:
    """Return whether a shape fits an expected one, in which None is any size."""
    return len(shape) == len(expected) and all(
        e is None or e == size for size, e in zip(shape, expected)
    )


def format_shape(shape: Shape) -> str:
    """Return a shape as text, with "any" for None."""
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def to_lists(array: Any, decode: Callable[[bytes], Any]) -> Any:
    """Convert an array to nested lists of JSON values.

    Args:
        array: Array of numbers or bytes, of any shape.
        decode: Function from bytes to a JSON value.
    """
    array = np.asarray(array)
    if array.dtype.kind in "OS":
        strings = np.empty(array.size, object)
        strings[:] = [decode(value) for value in array.flat]
        array = strings.reshape(array.shape)
    elif array.dtype.kind == "V":  # bfloat16
        array = array.astype("float32")
    return array.tolist()


def num_elements(shape: Sequence[int]) -> int:
    """Return the number of values of an array of this shape."""
    return math.prod(shape)

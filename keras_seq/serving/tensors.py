"""Between the values of JSON and arrays, as both protocols need it."""

import base64
import math
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError

DEEPEST = 32
"""Axes that an array may have."""


class Spec(NamedTuple):
    """What a signature says of an input or output."""

    dtype: str
    """TensorFlow's name of it."""
    shape: tuple | None
    """Sizes, None where any is taken; None if even their number is open."""


class Interface(NamedTuple):
    """Inputs and outputs of a signature."""

    inputs: dict[str, Spec]
    outputs: dict[str, Spec]


class Call(NamedTuple):
    """Parsed request: signature, inputs and format of the answer."""

    signature: str
    """Name."""
    arrays: dict[str, np.ndarray]
    """Inputs by name."""
    form: Any
    """Format of the answer, as the protocol defines it."""


def flattened(what, value, rank):
    """The shape of nested lists and all values in them, to a depth.

    Args:
        what: Name, for errors.
        value: A value, or nested lists of values.
        rank: How deep the lists are nested.

    Raises:
        InputError: They are not nested so deep, or lists beside each other differ in length.
    """
    shape, values = [], [value]
    if rank > DEEPEST:
        raise InputError(f"{what} has lists nested {rank} deep; {DEEPEST} is the most.")
    for _ in range(rank):
        sizes = {len(v) if type(v) is list else -1 for v in values} or {0}
        if -1 in sizes:
            raise InputError(f"{what} must be lists nested {rank} deep.")
        if len(sizes) > 1:
            raise InputError(f"{what} has lists of different lengths beside each other.")
        shape.append(sizes.pop())
        values = list(chain.from_iterable(values))
    return tuple(shape), values


def nested(what, spec, value):
    """The array that nested lists stand for, whatever shape its `Spec` allows.

    Raises:
        InputError: It does not fit.
    """
    if spec.shape is None:
        rank, inner = 0, value
        while type(inner) is list:
            rank, inner = rank + 1, inner[0] if inner else None
    else:
        rank = len(spec.shape)
    return array(what, spec, *flattened(what, value, rank))


def array(what, spec, shape, values):
    """The array of a shape that has the values.

    Args:
        what: Name, for errors.
        spec: `Spec` that it must fit.
        shape: A tuple.
        values: List of what JSON can hold, one after the other.

    Raises:
        InputError: The shape or a value does not fit, or there is nothing in it.
    """
    if 0 in shape:
        raise InputError(f"{what} is empty: it has the shape {shape}.")
    if spec.shape is not None and not fits(shape, spec.shape):
        raise InputError(f"{what} has the shape {shape}; the model takes {readable(spec.shape)}.")
    if spec.dtype == "string":
        made = np.empty(len(values), object)
        made[:] = [as_bytes(what, value) for value in values]
        return made.reshape(shape)
    dtype = np.dtype(spec.dtype)
    allowed = {"b": {bool}, "i": {int}, "u": {int}}.get(dtype.kind, {int, float})
    wrong = set(map(type, values)) - allowed
    if wrong:
        raise InputError(
            f"{what} holds {JSON_NAMES.get(wrong.pop(), 'something')}; the model takes "
            f"{spec.dtype}."
        )
    try:
        # What is too large for a float may become infinite, which is seen below.
        with np.errstate(over="ignore"):
            made = np.array(values, dtype).reshape(shape)
    except OverflowError:
        raise InputError(f"{what} holds a number that is no {spec.dtype}.") from None
    if dtype.kind not in "biu" and not np.isfinite(made.astype("float64")).all():
        raise InputError(f"{what} holds a number that is not finite in {spec.dtype}.")
    return made


JSON_NAMES = {
    str: "a string",
    bool: "true or false",
    float: "a number with a fraction",
    int: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def as_bytes(what, value):
    """The bytes of a value from JSON: of a text its UTF-8, of `{"b64": text}` what it encodes.

    Raises:
        InputError: It is neither.
    """
    try:
        if type(value) is dict and set(value) == {"b64"}:
            return base64.b64decode(value["b64"], validate=True)
        if type(value) is str:
            return value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what} holds half of a surrogate pair, which is no text.") from None
    except (TypeError, ValueError):
        raise InputError(f"{what} holds a 'b64' that is no Base64.") from None
    raise InputError(f"{what} holds {JSON_NAMES.get(type(value))}; the model takes strings.")


def fits(shape, expected):
    """Whether a shape is one of those that are expected, None for any size."""
    return len(shape) == len(expected) and all(
        e is None or e == size for size, e in zip(shape, expected)
    )


def readable(shape):
    """A shape for errors."""
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def as_lists(array, text):
    """Nested lists of what is in an array.

    Args:
        array: Of numbers or bytes, any shape.
        text: Function that makes bytes what JSON can hold.
    """
    array = np.asarray(array)
    if array.dtype.kind in "OS":
        texts = np.empty(array.size, object)
        texts[:] = [text(value) for value in array.flat]
        array = texts.reshape(array.shape)
    elif array.dtype.kind == "V":  # bfloat16
        array = array.astype("float32")
    return array.tolist()


def count(shape):
    """How many values an array of the shape has."""
    return math.prod(shape)

"""Types of the fields of dataclasses that are not numbers, which are checked in one place."""

import dataclasses
import functools
import typing
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from keras_seq._internal.errors import InputError, excerpt

PLAIN: dict[Any, str] = {str: "a text", bool: "True or False", int: "an integer"}
"""Types of fields that need no annotation, as noun phrases."""


@dataclasses.dataclass(frozen=True)
class Form:
    """Form of a text, for annotations such as `Annotated[str, Form("a word", str.isalpha)]`.

    >>> from keras_seq._internal.field_types import Form
    >>> print(Form("a word", str.isalpha))
    a word

    Args:
        description: Noun phrase.
        is_valid: Function that returns True for texts of this form.
    """

    description: str
    is_valid: Callable[[str], object]

    def __str__(self) -> str:
        return self.description


NOT_EMPTY = Form("a text that is not empty", str.strip)


def check_fields(instance: Any, name: Callable[[str], str] = str) -> None:
    """Check the fields of a dataclass that are texts, bools, choices or unions of them.

    Args:
        instance: Instance of a dataclass.
        name: Function from the name of a field to the subject of the message.

    Raises:
        InputError: If a field has another type, another form, or is none of its choices.
    """
    kind: Any = type(instance)
    for field, alternatives in _checked_fields(kind).items():
        value = getattr(instance, field)
        if not any(_fits(value, alternative) for alternative in alternatives):
            expected = " or ".join(map(_describe, alternatives))
            raise InputError(f"{name(field)} must be {expected}, got {excerpt(repr(value))}.")


@functools.cache
def _checked_fields(kind: Any) -> Mapping[str, list[Any]]:
    """Return the alternatives of each field that consists of known ones."""
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except NameError:  # Names that a user's module imports for type checkers only.
        return {}
    alternatives = {
        field.name: list(_split_union(hints[field.name])) for field in dataclasses.fields(kind)
    }
    return {
        name: options
        for name, options in alternatives.items()
        # Plain numbers have ranges, or are any numbers.
        if None not in options and options not in ([int], [int, NoneType])
    }


def _split_union(hint: Any) -> Iterator[Any]:
    """Yield the alternatives of a type: plain types, forms, choices; None for an unknown type."""
    if get_origin(hint) in (Union, UnionType):
        for part in get_args(hint):
            yield from _split_union(part)
    elif get_origin(hint) is Annotated:
        forms = [item for item in hint.__metadata__ if isinstance(item, Form)]
        yield forms[0] if forms else None
    else:
        is_known = hint in (*PLAIN, NoneType) or get_origin(hint) is Literal
        yield hint if is_known else None


def _fits(value: Any, alternative: Any) -> bool:
    if isinstance(alternative, Form):
        return isinstance(value, str) and bool(alternative.is_valid(value))
    if get_origin(alternative) is Literal:
        return value in get_args(alternative)
    is_bool = isinstance(value, bool)
    return isinstance(value, alternative) and (not is_bool or alternative is bool)


def _describe(alternative: Any) -> str:
    if get_origin(alternative) is Literal:
        return f"one of {', '.join(map(str, get_args(alternative)))}"
    return "None" if alternative is NoneType else PLAIN.get(alternative, str(alternative))

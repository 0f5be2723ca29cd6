"""Ranges of numbers, which are declared in type annotations and checked in one place."""

import dataclasses
import functools
import math
import typing
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Annotated, Any

from keras_seq._internal.errors import InputError


@dataclasses.dataclass(frozen=True)
class Range:
    """Range of finite numbers, for annotations such as `Annotated[float, Range(0, 1)]`.

    >>> print(Range(0, 1), Range(1, is_integer=True), Range(above=0), sep=" | ")
    a number from 0 to 1 | an integer of at least 1 | a number above 0
    """

    low: float = -math.inf
    """Smallest number, inclusive."""
    high: float = math.inf
    """Largest number, inclusive."""
    above: float = -math.inf
    """Exclusive lower bound."""
    below: float = math.inf
    """Exclusive upper bound."""
    is_integer: bool = False

    def __str__(self) -> str:
        """Return the range as a noun phrase."""
        kind = "an integer" if self.is_integer else "a number"
        if self.low > -math.inf and self.high < math.inf:
            return f"{kind} from {self.low} to {self.high}"
        bounds = {"of at least": self.low, "above": self.above, "below": self.below}
        texts = [f"{text} {bound}" for text, bound in bounds.items() if math.isfinite(bound)]
        return " ".join([kind, " and ".join(texts)]) if texts else f"{kind} that is finite"

    def check(self, name: str, value: Any) -> None:
        """Raise an error if a value is out of the range.

        Args:
            name: Subject of the message, such as "--dropout".
            value: Value.

        Raises:
            InputError: If it is not a number of the range; NaN and infinity never are.
        """
        is_number = isinstance(value, Integral if self.is_integer else Real)
        if (
            not is_number
            or isinstance(value, bool)
            or not math.isfinite(value)
            or not (self.low <= value <= self.high and self.above < value < self.below)
        ):
            raise InputError(f"{name} must be {self}, got {value!r}.")


Probability = Annotated[float, Range(0, 1)]
PositiveFloat = Annotated[float, Range(above=0)]
NonNegativeFloat = Annotated[float, Range(0)]
FiniteFloat = Annotated[float, Range()]
PositiveInt = Annotated[int, Range(1, is_integer=True)]
NonNegativeInt = Annotated[int, Range(0, is_integer=True)]


@functools.cache
def find_ranges(annotated: Any) -> Mapping[str, Range]:
    """Return the range of each field of a class, or argument of a function, that has one.

    Args:
        annotated: Class or function with annotations.
    """
    try:
        hints = typing.get_type_hints(annotated, include_extras=True)
    except NameError:  # Names that a user's module imports for type checkers only.
        return {}
    ranges = {}
    for name, hint in hints.items():
        for part in (hint, *typing.get_args(hint)):
            for item in getattr(part, "__metadata__", ()):
                if isinstance(item, Range):
                    ranges[name] = item
    return ranges


def check_fields(instance: Any, name: Callable[[str], str] = str) -> None:
    """Check the fields of a dataclass that have a range. None is in every range.

    Args:
        instance: Instance of a dataclass.
        name: Function from the name of a field to the subject of the message.

    Raises:
        InputError: If a field is out of its range.
    """
    kind: Any = type(instance)
    for field, field_range in find_ranges(kind).items():
        if getattr(instance, field) is not None:
            field_range.check(name(field), getattr(instance, field))


def check_arguments(cls: type, arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a constructor that have a range. None is in every range.

    A decorator would hide the names of the arguments from Keras, which inspects constructors.

    Args:
        cls: Class that defines the constructor.
        arguments: `locals()` at its beginning.

    Raises:
        InputError: If an argument is out of its range.
    """
    owner = type(arguments["self"]).__name__
    constructor: Any = cls.__init__  # type: ignore[misc]
    for name, argument_range in find_ranges(constructor).items():
        if arguments[name] is not None:
            argument_range.check(f"{owner}: `{name}`", arguments[name])

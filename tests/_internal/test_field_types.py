"""Types of fields that are not numbers."""

import dataclasses
from typing import Annotated, Literal

import pytest

from keras_seq._internal.errors import InputError
from keras_seq._internal.field_types import Form, check_fields


@dataclasses.dataclass
class Fields:
    choice: Literal["a", 2] | None = "a"
    column: int | str = 0
    word: Annotated[str, Form("a word", str.isalpha)] = "word"
    flag: bool = False
    number: float = 1.0  # numbers have ranges
    whole: int | None = 1
    other: list[str] | None = None


@pytest.mark.parametrize(
    "fields",
    [
        {"choice": 2},
        {"choice": None},
        {"column": "x"},
        {"number": "x"},
        {"whole": 1.5},
        {"other": 5},
    ],
    ids=str,
)
def test_valid_fields(fields):
    check_fields(Fields(**fields))


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"choice": "b"}, "choice must be one of a, 2 or None, got 'b'."),
        ({"choice": []}, "choice must be one of a, 2 or None, got []."),
        ({"column": True}, "column must be an integer or a text, got True."),
        ({"word": "2"}, "word must be a word, got '2'."),
        ({"word": None}, "word must be a word, got None."),
        ({"flag": 1}, "flag must be True or False, got 1."),
        ({"flag": "x" * 99}, f"flag must be True or False, got '{'x' * 56}...."),
    ],
    ids=str,
)
def test_errors(fields, message):
    with pytest.raises(InputError) as error:
        check_fields(Fields(**fields))
    assert str(error.value) == message

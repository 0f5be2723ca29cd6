"""Ranges in annotations."""

import math
from typing import Annotated

import numpy as np
import pytest

from keras_seq._internal import ranges
from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveFloat, PositiveInt, Probability, Range


@pytest.mark.parametrize(
    ("allowed", "good", "bad", "text"),
    [
        (Range(0, 1), [0, 1.0, np.float32(0.5)], [-0.1, 1.1], "a number from 0 to 1"),
        (Range(0, below=1), [0, 0.99], [1], "a number of at least 0 and below 1"),
        (Range(above=0), [1e-9, 5], [0, -1], "a number above 0"),
        (Range(), [-1e9], [], "a number that is finite"),
        (Range(1, is_integer=True), [1, np.int64(3)], [0, 1.5, 2.0], "an integer of at least 1"),
        (Range(0, 9, is_integer=True), [0, 9], [-1, 10], "an integer from 0 to 9"),
    ],
)
def test_range(allowed, good, bad, text):
    for value in good:
        allowed.check("--x", value)
    for value in (*bad, math.nan, math.inf, -math.inf, "1", True, [1]):
        with pytest.raises(InputError) as error:
            allowed.check("--x", value)
        assert str(error.value) == f"--x must be {text}, got {value!r}."


def test_arguments():
    class Layer:
        @ranges.check_arguments
        def __init__(self, units: PositiveInt, rate: Probability = 0.0, size: int = -1) -> None:
            self.units = units

    @ranges.check_arguments
    def schedule(learning_rate: PositiveFloat, steps: Annotated[int | None, Range(1)] = None):
        return learning_rate, steps

    assert Layer(3, rate=0.5).units == 3
    with pytest.raises(
        InputError, match=r"^Layer: `units` must be an integer of at least 1, got 0"
    ):
        Layer(0)
    with pytest.raises(InputError, match=r"^Layer: `rate` must be a number from 0 to 1, got nan"):
        Layer(1, rate=math.nan)
    with pytest.raises(TypeError, match="units"):
        Layer()
    assert schedule(0.1) == (0.1, None)
    with pytest.raises(InputError, match=r"^schedule: `learning_rate` must be a number above 0"):
        schedule(0)

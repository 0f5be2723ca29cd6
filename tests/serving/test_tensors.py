"""Inputs of unknown rank."""

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.serving.tensors import TensorSpec, parse_nested


def test_an_unknown_rank_is_that_of_the_lists():
    for value, shape in ((1, ()), ([1, 2], (2,)), ([[[1], [2]]], (1, 2, 1))):
        assert parse_nested("x", TensorSpec("int64", None), value).shape == shape
    for value, message in (([], "empty"), ([1, [2]], "holds a list"), ([[1], 2], "nested 2 deep")):
        with pytest.raises(InputError, match=message):
            parse_nested("x", TensorSpec("int64", None), value)
    deep = 1
    for _ in range(33):
        deep = [deep]
    with pytest.raises(InputError, match="nested 33 deep: at most 32 are allowed"):
        parse_nested("x", TensorSpec("int64", None), deep)

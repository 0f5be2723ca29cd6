"""Tests of alphabets."""

import doctest

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.text import alphabet as module
from keras_seq.text.alphabet import Alphabet


def test_decode_inverts_encode():
    alphabet = Alphabet(["é", "b", " "])
    labels = alphabet.encode(["b é", "", "é"])
    np.testing.assert_array_equal(labels, [[2, 3, 1], [0, 0, 0], [1, 0, 0]])
    assert [alphabet.decode(row[row > 0]) for row in labels] == ["b é", "", "é"]
    assert alphabet.encode([]).shape == (0, 1)


def test_errors():
    with pytest.raises(
        InputError, match="A model needs an alphabet of distinct characters, got ''"
    ):
        Alphabet("", "A model")
    with pytest.raises(InputError, match="distinct characters, got 'aba'"):
        Alphabet("aba")
    with pytest.raises(InputError, match="Text 2: character 2, 'x', is not in the alph"):
        Alphabet("ab").encode(["a", "bx"])


def test_examples_in_docstrings():
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

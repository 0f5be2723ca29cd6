"""Letters as classes, and back."""

import doctest

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.text import alphabet as module
from keras_seq.text.alphabet import Alphabet


def test_texts_come_back():
    alphabet = Alphabet(["é", "b", " "])
    classes = alphabet.encode(["b é", "", "é"])
    np.testing.assert_array_equal(classes, [[2, 3, 1], [0, 0, 0], [1, 0, 0]])
    assert [alphabet.decode(row[row > 0]) for row in classes] == ["b é", "", "é"]
    assert alphabet.encode([]).shape == (0, 1)


def test_mistakes_are_refused():
    with pytest.raises(
        InputError, match="A model needs an alphabet of different characters, got ''"
    ):
        Alphabet("", "A model")
    with pytest.raises(InputError, match="different characters, got 'aba'"):
        Alphabet("aba")
    with pytest.raises(InputError, match="Text 2 has 'x' at position 2, which is not in the alph"):
        Alphabet("ab").encode(["a", "bx"])


def test_the_example_runs():
    failed, count = doctest.testmod(module)
    assert count and not failed

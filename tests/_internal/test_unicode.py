"""Tests of the parts of texts between blanks."""

import doctest

import pytest

from keras_seq._internal import unicode


def test_examples_in_docstrings():
    results = doctest.testmod(unicode)
    assert results.attempted and not results.failed


@pytest.mark.parametrize("text", ["", " \t\n", "a", "a\u3000b", "\x85 \u2028", " a  b\tc \r\n"])
def test_parts(text):
    parts = unicode.split_at_blanks(text)
    assert "".join(parts) == "".join(c for c in text if c not in unicode.BLANKS)
    assert all(part and not {*part} & {*unicode.BLANKS} for part in parts)

"""Examples in the docstrings of the cells."""

import doctest
import importlib

import pytest

MODULES = ("base", "diagonal_peephole_lstm", "gru", "lstm", "peephole_lstm", "simple_rnn")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"keras_seq.cells.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

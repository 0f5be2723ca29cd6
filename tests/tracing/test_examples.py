"""Examples in the docstrings of tracing."""

import doctest
import importlib

import pytest

MODULES = ("callback", "recorder", "trace")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    if name == "callback":
        pytest.importorskip("tensorflow")
    module = importlib.import_module(f"keras_seq.tracing.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

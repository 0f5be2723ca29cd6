"""Examples in the docstrings of training."""

import doctest
import importlib

import pytest

MODULES = ("config", "hub", "initialization", "recipe", "recipe_info", "runs", "storages")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"keras_seq.train.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

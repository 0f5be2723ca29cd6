"""Examples in the docstrings of tuning."""

import doctest
import importlib

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("tuned on TensorFlow alone", allow_module_level=True)

MODULES = ("search", "trial")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"keras_seq.tuning.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

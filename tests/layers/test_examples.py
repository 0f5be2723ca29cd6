"""Examples in the docstrings of the layers."""

import doctest
import importlib

import pytest

from keras_seq import layers

CLASSES = [getattr(layers, name) for name in layers.__all__]
MODULES = sorted(
    {cls.__module__ for cls in CLASSES}
    | {
        "keras_seq.layers.audio.blank_after_end",
        "keras_seq.layers.named_weights",
    }
)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_has_an_example(cls):
    assert ">>> " in cls.__doc__


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted and not results.failed

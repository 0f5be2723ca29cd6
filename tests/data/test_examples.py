"""Tests of the examples in docstrings of keras_seq.data."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    ["formats", "labeled_texts", "limits", "parallel", "split", "summaries", "tagging", "videos"],
)
def test_examples_in_docstrings(name):
    results = doctest.testmod(importlib.import_module(f"keras_seq.data.{name}"))
    assert results.attempted and not results.failed

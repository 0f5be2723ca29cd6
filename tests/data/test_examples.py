"""Tests of the examples in docstrings of keras_seq.data."""

import doctest
import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "keras_seq/data"
NAMES = [
    "keras_seq._internal.subsampling",
    *(
        f"keras_seq.data.{file.stem}"
        for file in sorted(FOLDER.glob("*.py"))
        if ">>> " in file.read_text(encoding="utf-8")
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted and not results.failed

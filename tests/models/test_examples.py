"""Examples in the docstrings of the models."""

import doctest
import importlib

import pytest
from helpers import slow_but

MODULES = (
    *("ctc_recognizer", "seq2seq", "sequence_classifier", "sequence_generator"),
    *("sequence_tagger", "video_classifier", "auxiliary_tags", "weight_copy"),
)
QUICK = ("sequence_classifier", "auxiliary_tags", "weight_copy")


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", slow_but(QUICK, MODULES))
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"keras_seq.models.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

"""Examples in the docstrings of decoding."""

import doctest
import importlib

import pytest

MODULES = (
    *("decoding.autoregressive", "decoding.beam_search", "decoding.ctc_beam_search"),
    *("decoding.ctc_decoding", "decoding.ctc_lexicon_search", "decoding.suppress"),
    "_internal.softmax",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"keras_seq.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

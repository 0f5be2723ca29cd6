"""Predictions in batches, and inputs that cannot be read."""

from pathlib import Path

import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.train.prediction import default_batch_size, predict_in_batches


def predict(inputs):
    """Return the length of each input, which must not contain an x."""
    for text in inputs:
        if "x" in text:
            raise InputError(f"{text!r} has an x.")
    return [{"length": len(text)} for text in inputs]


@given(st.lists(st.text("abx", max_size=3)), st.integers(1, 9))
def test_bad_inputs_are_left_out_and_reported(inputs, batch_size):
    bad = []
    batches = predict_in_batches(predict, inputs, batch_size, lambda *pair: bad.append(pair))
    lengths = [row["length"] for rows in batches for row in rows]
    assert lengths == [len(text) for text in inputs if "x" not in text]
    assert [text for text, _ in bad] == [text for text in inputs if "x" in text]
    assert all(str(error) == f"{text!r} has an x." for text, error in bad)


def test_inputs_are_read_as_they_are_needed():
    read = []
    batches = predict_in_batches(predict, (read.append(n) or "a" for n in range(10)), 4)
    assert len(next(batches)) == 4 and len(read) == 4
    assert [len(rows) for rows in batches] == [4, 2]


def test_paths_and_numbers_are_inputs_as_on_the_command_line():
    [rows] = predict_in_batches(predict, [Path("ab"), 123])
    assert [row["length"] for row in rows] == [2, 3]


def test_errors():
    with pytest.raises(InputError, match="'x' has an x"):
        list(predict_in_batches(predict, ["a", "x"]))
    with pytest.raises(InputError, match="with the index 5 is None, of the type NoneType"):
        list(predict_in_batches(predict, ["a"] * 5 + [None], 4))
    with pytest.raises(InputError, match="--batch-size must be an integer of at least 1, got 0"):
        list(predict_in_batches(predict, ["a"], 0))


def test_texts_are_classified_in_larger_batches():
    classifier, tagger = tiny_models.classifier(), tiny_models.tagger()
    assert default_batch_size(classifier) == default_batch_size(tagger) == 4096
    assert default_batch_size(tiny_models.generator()) == 512

"""Masked cross-entropy against that of Keras without the padding."""

import doctest

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import losses as module
from keras_seq._internal.errors import InputError
from keras_seq.losses import MaskedCrossentropy

TARGETS = np.array([[3, 1, 2, 0], [4, 0, 0, 0]])
LOGITS = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")


def expected(smoothing, where):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    return to_numpy(loss(np.eye(5)[TARGETS[where]], LOGITS[where]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_mean_over_all_tokens_except_padding(smoothing):
    loss = MaskedCrossentropy(label_smoothing=smoothing)
    actual = to_numpy(loss(TARGETS, LOGITS))
    np.testing.assert_allclose(actual, expected(smoothing, TARGETS > 0), rtol=1e-5)
    # With a weight per sequence: three tokens of four.
    for weights in ([1.0, 0.0], [[1.0], [0.0]], [[1.0] * 4, [0.0] * 4]):
        actual = to_numpy(loss(TARGETS, LOGITS, sample_weight=np.array(weights)))
        np.testing.assert_allclose(actual, expected(smoothing, (0, [0, 1, 2])) * 3 / 4, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_logits_with_a_mask(smoothing):
    logits = keras.layers.Masking()(LOGITS * (TARGETS > 0)[:, :, None])
    actual = to_numpy(MaskedCrossentropy(label_smoothing=smoothing)(TARGETS, logits))
    np.testing.assert_allclose(actual, expected(smoothing, TARGETS > 0), rtol=1e-5)


def test_saved_and_loaded():
    config = keras.losses.serialize(MaskedCrossentropy(label_smoothing=0.3))
    assert keras.losses.deserialize(config).label_smoothing == 0.3


def test_bad_arguments():
    with pytest.raises(
        InputError, match="`label_smoothing` must be a number of at least 0 and below 1, got 1"
    ):
        MaskedCrossentropy(label_smoothing=1.0)
    with pytest.raises(InputError, match=r"label_smoothing=0\.1 needs logits"):
        MaskedCrossentropy(from_logits=False, label_smoothing=0.1)


def test_examples_in_docstrings():
    results = doctest.testmod(module)
    assert results.attempted and not results.failed

"""Masked cross-entropy against that of Keras without the padding."""

import doctest

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import losses as module
from keras_seq._internal.errors import InputError
from keras_seq.losses import LabelCrossentropy, MaskedCrossentropy

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


@pytest.mark.parametrize(
    ("loss", "ids", "message"),
    [
        (MaskedCrossentropy(), [[1, 5, 0]], "The token id 5 in row 0 of the batch, step 1 is out"),
        (MaskedCrossentropy(label_smoothing=0.1), [[1, -2, 0]], "The token id -2 in row 0 of the"),
        (
            LabelCrossentropy(),
            [7],
            "The label 7 in row 0 of the batch is out of range: ids are from",
        ),
    ],
)
def test_ids_out_of_range(loss, ids, message):
    ids = np.array(ids)
    scores = np.zeros((*ids.shape, 5), "float32")
    with pytest.raises(InputError, match=message):
        loss(ids, scores)
    model = keras.Sequential([keras.Input(scores.shape[1:]), keras.layers.Dense(5)])
    model.compile("sgd", loss=loss, jit_compile=False)
    valid = np.clip(ids, 0, 4)
    assert np.isfinite(model.fit(scores, valid, verbose=0).history["loss"][0])
    with pytest.raises(Exception, match=message):
        model.fit(scores, ids, verbose=0)


def test_an_ignored_class_may_be_out_of_range():
    loss = MaskedCrossentropy(ignore_class=-1)
    assert np.isclose(to_numpy(loss(np.array([[-1, 2]]), np.zeros((1, 2, 4)))), np.log(4))


def test_label_crossentropy_is_that_of_keras():
    logits = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for labels in (np.array([0, 3, 1]), np.array([[0], [3], [1]])):
        actual = LabelCrossentropy()(labels, logits)
        np.testing.assert_allclose(to_numpy(actual), to_numpy(expected(labels, logits)), rtol=1e-6)

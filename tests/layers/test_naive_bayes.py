"""Naive Bayes against the equation; the numbers of pairs."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq.errors import InputError

FEATURES = np.array([[1, 2, 0], [1, 1, 3], [2, 3, 0], [3, 0, 0], [4, 3, 0]])
LABELS = np.eye(2)[[0, 0, 1, 1, 1]]


def layer(start=1.0, labels=2):
    made = layers.NaiveBayes(4, labels, start)
    made.build((None, 3))
    return made


def share(feature, label):
    """Of all that the examples of a label have, one more of each, how much is the feature."""
    rows = [set(row) for row, of in zip(FEATURES.tolist(), LABELS.argmax(1)) if of == label]
    return (sum(feature in row for row in rows) + 1) / (sum(map(len, rows)) + 5)


def test_says_how_much_more_often_a_label_has_a_feature():
    made = layer()
    made.count(FEATURES, LABELS)
    found = to_numpy(made.ratios)
    assert (found[0] == 0).all()
    for feature in range(1, 5):
        expected = np.log(share(feature, 1) / share(feature, 0))
        np.testing.assert_allclose(found[feature], [-expected, expected], atol=1e-5)


def test_adds_up_what_each_feature_says_times_its_weight():
    random, made = np.random.default_rng(0), layer(labels=3)
    ratios, weights = random.normal(size=(2, 5, 3)).astype("float32")
    ratios[0] = 0
    made.ratios.assign(ratios)
    made.learnt.assign(weights)
    expected = [sum(ratios[f] * weights[f] for f in row) for row in FEATURES]
    np.testing.assert_allclose(to_numpy(made(FEATURES)), expected, atol=1e-5)
    assert [w.path.split("/")[-1] for w in made.trainable_weights] == ["weights"]


def test_refuses_what_is_no_choice():
    with pytest.raises(InputError, match="2 labels, got 4 and 1"):
        layer(labels=1)


def test_pairs_have_numbers():
    pairs = layers.Bigrams([(3, 1), (1, 2)])
    ids = np.array([[1, 2, 3, 1], [3, 1, 0, 0]])
    np.testing.assert_array_equal(to_numpy(pairs(ids)), [[0, 1, 0, 2, 0], [0, 2, 0, 0, 0]])
    symbolic = pairs(keras.Input((None,), dtype="int32"))
    assert symbolic.shape == (None, None)

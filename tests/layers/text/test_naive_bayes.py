"""Naive Bayes against the equation, whatever the order and by place; the numbers of pairs."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError

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
    made.adapt(FEATURES, LABELS)
    found = to_numpy(made.log_count_ratios)
    assert (found[0] == 0).all()
    for feature in range(1, 5):
        expected = np.log(share(feature, 1) / share(feature, 0))
        np.testing.assert_allclose(found[feature], [-expected, expected], atol=1e-5)


def test_adds_up_what_each_feature_says_times_its_weight():
    random, made = np.random.default_rng(0), layer(labels=3)
    ratios, weights = random.normal(size=(2, 5, 3)).astype("float32")
    ratios[0] = 0
    made.log_count_ratios.assign(ratios)
    made.feature_weights.assign(weights)
    expected = [sum(ratios[f] * weights[f] for f in row) for row in FEATURES]
    np.testing.assert_allclose(to_numpy(made(FEATURES)), expected, atol=1e-5)
    assert [w.path.split("/")[-1] for w in made.trainable_weights] == ["feature_weights"]


def test_refuses_what_is_no_choice():
    with pytest.raises(InputError, match="2 labels, got num_features=4 and num_labels=1"):
        layer(labels=1)


def test_pairs_have_numbers():
    pairs = layers.BigramLookup([(3, 1), (1, 2)])
    ids = np.array([[1, 2, 3, 1], [3, 1, 0, 0]])
    np.testing.assert_array_equal(to_numpy(pairs(ids)), [[0, 1, 0, 2, 0], [0, 2, 0, 0, 0]])
    symbolic = pairs(keras.Input((None,), dtype="int32"))
    assert symbolic.shape == (None, None)


# Of two symbols; what may be either is a half of each.
SYMBOLS = np.zeros((4, 6, 2), "float32")
LENGTHS = np.array([6, 3, 5, 4])
RANDOM = np.random.default_rng(1)
SYMBOLS[..., 0] = RANDOM.choice([0.0, 0.5, 1.0], (4, 6))
SYMBOLS[..., 1] = 1 - SYMBOLS[..., 0]
MASK = np.arange(6) < LENGTHS[:, None]
OF = np.eye(3)[[0, 1, 1, 2]]


def amounts(example, run, places):
    """How much of each run is at each place: the equation, written out."""
    length, found = LENGTHS[example], np.zeros((places - run + 1, *[2] * run))
    for place in range(places - run + 1):
        first = length // 2 - places // 2 + place
        if first >= 0 and first + run <= length:
            for which in np.ndindex(*[2] * run):
                steps = enumerate(which, first)
                found[place, *which] = np.prod([SYMBOLS[example, n, s] for n, s in steps])
    return found.ravel()


@pytest.mark.parametrize(("run", "places"), [(1, 4), (2, 5), (3, 8), (3, 3)])
def test_a_weight_array_scores_runs_by_their_place_from_the_middle(run, places):
    layer = layers.WeightArrayModel(3, run, places, initial_weight=1.0)
    layer.build((None, None, 2))
    layer.adapt(SYMBOLS, MASK, OF, batch_size=3)
    runs = np.array([amounts(n, run, places) for n in range(4)])
    counts = 1 + runs.T @ OF
    others = counts.sum(axis=1, keepdims=True) - counts
    expected = np.log(counts / counts.sum(axis=0) * others.sum(axis=0) / others)
    np.testing.assert_allclose(to_numpy(layer.log_count_ratios), expected, atol=1e-5)
    weights = RANDOM.normal(size=expected.shape)
    layer.feature_weights.assign(weights)
    # What is after the end says nothing.
    padded = np.where(MASK[:, :, None], SYMBOLS, 7.0)
    found = to_numpy(layer(padded, mask=MASK))
    np.testing.assert_allclose(found, runs @ (expected * weights), atol=1e-4)
    assert [w.path.split("/")[-1] for w in layer.trainable_weights] == ["feature_weights"]


def test_a_weight_array_needs_places_for_a_run():
    with pytest.raises(InputError, match="order=3, window=2"):
        layers.WeightArrayModel(2, 3, 2)

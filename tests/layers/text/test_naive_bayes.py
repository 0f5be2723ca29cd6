"""Naive Bayes and the weight array model against their equations; bigram lookup."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError

FEATURES = np.array([[1, 2, 0], [1, 1, 3], [2, 3, 0], [3, 0, 0], [4, 3, 0]])
LABELS = np.eye(2)[[0, 0, 1, 1, 1]]


def make_layer(labels=2):
    layer = layers.NaiveBayes(4, labels, initial_weight=1.0)
    layer.build((None, 3))
    return layer


def probability(feature, label):
    """Return P(feature | label) with add-one smoothing."""
    rows = [
        {*row} - {0}
        for row, row_label in zip(FEATURES.tolist(), LABELS.argmax(1))
        if row_label == label
    ]
    return (sum(feature in row for row in rows) + 1) / (sum(map(len, rows)) + 4)


def test_log_count_ratios():
    layer = make_layer()
    layer.adapt(FEATURES, LABELS)
    actual = to_numpy(layer.log_count_ratios)
    assert (actual[0] == 0).all()
    for feature in range(1, 5):
        expected = np.log(probability(feature, 1) / probability(feature, 0))
        np.testing.assert_allclose(actual[feature], [-expected, expected], atol=1e-5)


def test_features_that_never_occur_change_no_ratio():
    layer, larger = make_layer(), layers.NaiveBayes(6, 2)
    for each in (layer, larger):
        each.adapt(FEATURES, LABELS)
    actual = to_numpy(larger.log_count_ratios)
    np.testing.assert_array_equal(actual[:5], to_numpy(layer.log_count_ratios))
    assert not actual[5:].any()


def test_logits_are_weighted_sums():
    random, layer = np.random.default_rng(0), make_layer(labels=3)
    ratios, weights = random.normal(size=(2, 5, 3)).astype("float32")
    ratios[0] = 0
    layer.log_count_ratios.assign(ratios)
    layer.feature_weights.assign(weights)
    expected = [sum(ratios[f] * weights[f] for f in row) for row in FEATURES]
    np.testing.assert_allclose(to_numpy(layer(FEATURES)), expected, atol=1e-5)
    assert [w.path.split("/")[-1] for w in layer.trainable_weights] == ["feature_weights"]


def test_normalized_logits_do_not_grow_with_the_number_of_features():
    plain, normalized = (
        layers.NaiveBayes(4, 2, initial_weight=1.0, normalize=value) for value in (False, True)
    )
    for layer in (plain, normalized):
        layer.adapt(FEATURES, LABELS)
    count = (FEATURES > 0).sum(axis=1, keepdims=True)
    expected = to_numpy(plain(FEATURES)) / np.sqrt(count)
    np.testing.assert_allclose(to_numpy(normalized(FEATURES)), expected, rtol=1e-5)
    assert not to_numpy(normalized(np.zeros((1, 2), "int32"))).any()


@pytest.mark.parametrize(("normalize", "batch_size"), [(False, 2), (True, 100)])
def test_leave_one_out_equals_counting_without_the_example(normalize, batch_size, monkeypatch):
    monkeypatch.setattr("keras_seq.layers.text.naive_bayes.ADAPT_BATCH_SIZE", batch_size)
    random = np.random.default_rng(2)
    layer = layers.NaiveBayes(4, 3, normalize=normalize)
    layer.build((None, 3))
    layer.feature_weights.assign(random.normal(size=(5, 3)))
    labels = random.uniform(size=(5, 3))  # The feature 4 occurs in one example only.
    logits = layer.adapt_leave_one_out(FEATURES, labels)
    for number in range(5):
        others = np.arange(5) != number
        layer.adapt(FEATURES[others], labels[others])
        expected = to_numpy(layer(FEATURES[number : number + 1]))
        np.testing.assert_allclose(logits[[number]], expected, rtol=1e-4, atol=1e-5)


def test_needs_two_labels():
    with pytest.raises(InputError, match="`num_labels` must be an integer of at least 2, got 1"):
        make_layer(labels=1)


def test_bigram_ids():
    pairs = layers.BigramLookup([(3, 1), (1, 2)])
    ids = np.array([[1, 2, 3, 1], [3, 1, 0, 0]])
    np.testing.assert_array_equal(to_numpy(pairs(ids)), [[0, 1, 0, 2, 0], [0, 2, 0, 0, 0]])
    symbolic = pairs(keras.Input((None,), dtype="int32"))
    assert symbolic.shape == (None, None)


# Probabilities of two symbols; an ambiguous step is half of each.
SYMBOLS = np.zeros((4, 6, 2), "float32")
LENGTHS = np.array([6, 3, 5, 4])
RANDOM = np.random.default_rng(1)
SYMBOLS[..., 0] = RANDOM.choice([0.0, 0.5, 1.0], (4, 6))
SYMBOLS[..., 1] = 1 - SYMBOLS[..., 0]
MASK = np.arange(6) < LENGTHS[:, None]
TARGETS = np.eye(3)[[0, 1, 1, 2]]


def ngram_probabilities(example, order, window):
    """Return the probability of each n-gram at each position, by the equation."""
    length = LENGTHS[example]
    probabilities = np.zeros((window - order + 1, *[2] * order))
    for position in range(window - order + 1):
        start = length // 2 - window // 2 + position
        if start >= 0 and start + order <= length:
            for ngram in np.ndindex(*[2] * order):
                steps = [SYMBOLS[example, t, symbol] for t, symbol in enumerate(ngram, start)]
                probabilities[position, *ngram] = np.prod(steps)
    return probabilities.ravel()


@pytest.mark.parametrize(("order", "window"), [(1, 4), (2, 5), (3, 8), (3, 3)])
def test_weight_array_model_equals_the_equation(order, window):
    layer = layers.WeightArrayModel(3, order, window, initial_weight=1.0)
    layer.build((None, None, 2))
    layer.adapt(SYMBOLS, MASK, TARGETS, batch_size=3)
    ngrams = np.array([ngram_probabilities(n, order, window) for n in range(4)])
    counts = 1 + ngrams.T @ TARGETS
    others = counts.sum(axis=1, keepdims=True) - counts
    expected = np.log(counts / counts.sum(axis=0) * others.sum(axis=0) / others)
    np.testing.assert_allclose(to_numpy(layer.log_count_ratios), expected, atol=1e-5)
    weights = RANDOM.normal(size=expected.shape)
    layer.feature_weights.assign(weights)
    # Masked time steps have no influence.
    padded = np.where(MASK[:, :, None], SYMBOLS, 7.0)
    actual = to_numpy(layer(padded, mask=MASK))
    np.testing.assert_allclose(actual, ngrams @ (expected * weights), atol=1e-4)
    assert [w.path.split("/")[-1] for w in layer.trainable_weights] == ["feature_weights"]


def test_order_exceeds_window():
    with pytest.raises(InputError, match="`order` must be at most `window`, 2, got 3"):
        layers.WeightArrayModel(2, 3, 2)

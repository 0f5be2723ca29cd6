"""Attention pooling against NumPy; word dropout."""

import keras
import numpy as np
from helpers import to_numpy

from keras_seq import layers


def expected(layer, x, mask):
    """Return pooled vectors and weights by the equation, in float64."""
    kernel, bias, query = (to_numpy(w).astype("float64") for w in layer.weights)
    pooled, weights = np.zeros(x.shape[::2]), np.zeros(x.shape[:2])
    for row in range(len(x)):
        unmasked = np.flatnonzero(mask[row])
        scores = np.exp([query @ np.tanh(x[row, t] @ kernel + bias) for t in unmasked])
        for t, weight in zip(unmasked, scores / scores.sum() if len(unmasked) else []):
            weights[row, t] = weight
            pooled[row] += weight * x[row, t]
    return pooled, weights


def test_equals_the_equation():
    random = np.random.default_rng(0)
    x = random.normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]], bool)
    layer = layers.AttentionPooling(6)
    layer.build(x.shape)
    layer.set_weights([random.normal(size=w.shape) for w in layer.weights])
    actual = map(to_numpy, layer(x, mask=mask, return_attention_scores=True))
    for value, desired in zip(actual, expected(layer, x, mask), strict=True):
        np.testing.assert_allclose(value, desired, atol=1e-5)
    np.testing.assert_allclose(
        to_numpy(layer(x)), expected(layer, x, np.ones_like(mask))[0], atol=1e-5
    )
    assert (to_numpy(layer(x, mask=mask, return_attention_scores=True)[1])[~mask] == 0).all()


def test_consumes_the_mask_of_the_previous_layer():
    model = keras.Sequential(
        [keras.layers.Embedding(9, 4, mask_zero=True), layers.AttentionPooling(3)]
    )
    ids = np.array([[3, 4, 5], [3, 4, 0]])
    short = to_numpy(model(ids[1:, :2]))
    np.testing.assert_allclose(to_numpy(model(ids))[1:], short, atol=1e-6)


def test_word_dropout():
    layer = layers.WordDropout(0.25, seed=1)
    ids = np.tile(np.arange(10, dtype="int32"), (500, 1))
    np.testing.assert_array_equal(to_numpy(layer(ids)), ids)
    dropped = to_numpy(layer(ids, training=True))
    changed = dropped != ids
    assert (dropped[changed] == 1).all() and (dropped[:, 0] == 0).all()
    np.testing.assert_allclose(changed[:, 2:].mean(), 0.25, atol=0.02)
    assert (to_numpy(layer(ids, training=True)) != dropped).any()

"""Max pooling and middle pooling."""

import keras
import numpy as np
import pytest
from helpers import MASK, normal, to_numpy

from keras_seq._internal.errors import InputError
from keras_seq.layers import MaxPooling, MiddlePooling

X = normal(4, 5, 6)
MIDDLE = np.arange(5) < np.array([[1], [3], [4], [5]])


def test_max_pooling_with_a_mask():
    actual = to_numpy(MaxPooling()(X, mask=MASK))
    for row, x, mask in zip(actual[:3], X, MASK):
        np.testing.assert_allclose(row, x[mask].max(axis=0), atol=1e-6)
    np.testing.assert_allclose(to_numpy(MaxPooling()(X)), X.max(axis=1), atol=1e-6)


def test_middle_pooling():
    actual = to_numpy(MiddlePooling()(X, mask=MIDDLE))
    for row, x, places in zip(actual, X, [(0, 0), (1, 1), (2, 1), (2, 2)]):
        forward, backward = places
        np.testing.assert_allclose(row, [*x[forward, :3], *x[backward, 3:]], atol=1e-6)
    np.testing.assert_allclose(to_numpy(MiddlePooling()(X)), X[:, 2], atol=1e-6)


def test_middle_pooling_needs_an_even_number_of_features():
    with pytest.raises(InputError, match="outputs of a bidirectional layer, got 3 features"):
        MiddlePooling()(normal(1, 2, 3))


@pytest.mark.parametrize("layer", [MaxPooling, MiddlePooling])
def test_gradients_of_fully_masked_sequences(layer):
    inputs = keras.Input((None, 6))
    mask = keras.Input((None,), dtype="bool")
    dense = keras.layers.Dense(6)
    outputs = keras.layers.Dense(1)(layer()(dense(inputs), mask=mask))
    model = keras.Model([inputs, mask], outputs)
    model.compile("sgd", "mse")
    model.train_on_batch([X, MASK], np.ones((4, 1)))
    assert all(np.isfinite(to_numpy(weight)).all() for weight in model.weights)


@pytest.mark.parametrize("layer", [MaxPooling, MiddlePooling])
def test_shapes_and_configuration(layer):
    copy = layer.from_config(layer(name="pool").get_config())
    assert copy.name == "pool" and copy(keras.KerasTensor((None, None, 6))).shape == (None, 6)

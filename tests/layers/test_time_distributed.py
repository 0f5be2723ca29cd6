"""The same layer at every step, however many there are."""

import keras
import numpy as np
from helpers import to_numpy

from keras_seq import layers

X = np.random.default_rng(0).normal(size=(2, 5, 6, 6, 1)).astype("float32")


def test_a_step_is_seen_by_itself():
    inside = keras.Sequential([keras.layers.Conv2D(3, 3, 2), keras.layers.Flatten()])
    x = keras.Input((None, 6, 6, 1))
    model = keras.Model(x, layers.TimeDistributed(inside)(x))
    wanted = np.stack([to_numpy(inside(X[:, time])) for time in range(5)], axis=1)
    # More steps than rows, and more rows than steps.
    for rows in (slice(None), (slice(None), slice(1))):
        np.testing.assert_allclose(model.predict(X[rows], verbose=0), wanted[rows], atol=1e-5)
    assert model.output_shape == (None, None, 12)


def test_training_reaches_the_layer_and_the_mask_what_follows():
    layer = layers.TimeDistributed(keras.layers.Dropout(0.5, seed=1))
    ones = np.ones((4, 5, 6), "float32")
    np.testing.assert_array_equal(to_numpy(layer(ones)), ones)
    assert set(np.unique(to_numpy(layer(ones, training=True)))) == {0, 2}
    model = keras.Sequential(
        [
            keras.layers.Embedding(9, 4, mask_zero=True),
            layers.TimeDistributed(keras.layers.Dense(3)),
            keras.layers.GRU(2),
        ]
    )
    short, long = (to_numpy(model(np.array([ids]))) for ids in ([3, 4], [3, 4, 0]))
    np.testing.assert_allclose(long, short, atol=1e-6)


def test_saved(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, 6)), layers.TimeDistributed(keras.layers.Dense(3))]
    )
    model.save(tmp_path / "it.keras")
    loaded = keras.saving.load_model(tmp_path / "it.keras")
    x = X[:, :, 0, :, 0]
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), strict=True
    )

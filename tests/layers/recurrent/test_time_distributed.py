"""`TimeDistributed` and `FlattenTime`, with known and unknown numbers of time steps."""

import keras
import numpy as np
import pytest
from helpers import BACKEND, MASK, UNITS, assert_close, fill, normal, run, sequences, to_numpy
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError

X = normal(2, 5, 6, 6, 1)
BOTH = pytest.mark.parametrize("cls", [layers.TimeDistributed, layers.FlattenTime])
STEPS = [5, None] if BACKEND == "tensorflow" else [5]  # known on other backends


def model_of(layer, steps, *shape):
    x = keras.Input((steps, *shape))
    return keras.Model(x, layer(x))


@BOTH
@pytest.mark.parametrize("steps", STEPS)
def test_each_step_is_independent(cls, steps):
    inside = keras.Sequential([keras.layers.Conv2D(3, 3, 2), keras.layers.Flatten()])
    model = model_of(cls(inside), steps, 6, 6, 1)
    desired = np.stack([to_numpy(inside(X[:, time])) for time in range(5)], axis=1)
    # More steps than rows, and more rows than steps.
    for rows in [slice(None)] if steps else [slice(None), (slice(None), slice(1))]:
        np.testing.assert_allclose(model.predict(X[rows], verbose=0), desired[rows], atol=1e-5)
    assert model.output_shape == (None, steps, 12)


@BOTH
def test_training_and_mask_are_passed_on(cls):
    layer = cls(keras.layers.Dropout(0.5, seed=1))
    ones = np.ones((4, 5, 6), "float32")
    np.testing.assert_array_equal(to_numpy(layer(ones)), ones)
    assert set(np.unique(to_numpy(layer(ones, training=True)))) == {0, 2}
    model = keras.Sequential(
        [
            keras.layers.Embedding(9, 4, mask_zero=True),
            cls(keras.layers.Dense(3)),
            keras.layers.GRU(2),
        ]
    )
    short, long = (to_numpy(model(np.array([ids]))) for ids in ([3, 4], [3, 4, 0]))
    np.testing.assert_allclose(long, short, atol=1e-6)


WRONG = {"another batch": (3, 5), "other steps": (2, 4), "one axis": (2,)}


@BOTH
@pytest.mark.parametrize("case", WRONG)
def test_bad_mask(cls, case):
    mask, name = ops.ones(WRONG[case], "bool"), "each"
    sentence = rf"each: The `mask` passed to the `{cls.__name__}` layer .* \(2, 5\)\.$"
    with pytest.raises(InputError, match=sentence):
        cls(keras.layers.Dense(3), name=name)(X, mask=mask)


@BOTH
@pytest.mark.parametrize("steps", STEPS)
def test_inner_layer_gets_the_mask_of_its_step(cls, steps):
    """Words of characters: the mask has an axis of characters."""
    inside = layers.GRU(UNITS)
    letters = np.stack([sequences(seed=7 + i) for i in range(5)], axis=1)
    seen = np.stack([MASK[::-1], MASK, MASK, MASK[::-1], MASK], axis=1)
    x, mask = keras.Input((steps, 5, 3)), keras.Input((steps, 5), dtype="bool")
    model = keras.Model([x, mask], cls(inside)(x, mask=mask))
    desired = [to_numpy(inside(letters[:, t], mask=seen[:, t])) for t in range(5)]
    assert_close([model.predict([letters, seen], verbose=0)], [np.stack(desired, axis=1)])


@pytest.mark.slow
def test_words_without_characters_are_masked():
    ids = np.array([[[1, 2], [3, 0], [0, 0]], [[4, 0], [0, 0], [0, 0]]])
    embedded = keras.layers.Embedding(9, 4, mask_zero=True)(ids)
    for inside, mask in [
        (layers.GRU(UNITS), ids.any(axis=-1)),
        (layers.GRU(UNITS, return_sequences=True), ids > 0),
    ]:
        output = layers.FlattenTime(inside)(embedded)
        np.testing.assert_array_equal(to_numpy(output._keras_mask), mask)


def test_batch_normalization_per_step_or_over_all_steps():
    x = sequences() + np.arange(5)[:, None]  # the mean differs between steps
    ours, theirs, flat = (
        cls(keras.layers.BatchNormalization(momentum=0.5))
        for cls in (layers.TimeDistributed, keras.layers.TimeDistributed, layers.FlattenTime)
    )
    assert_close(run(ours, x, training=True), run(theirs, x, training=True))
    assert_close(ours.get_weights(), theirs.get_weights(), 0)
    (output,) = run(flat, x, training=True)
    np.testing.assert_allclose(output.mean(axis=(0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(flat.layer.moving_mean, 0.5 * x.mean(axis=(0, 1)), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere the number of steps is known")
def test_batch_normalization_with_unknown_timesteps():
    known, unknown = (layers.TimeDistributed(keras.layers.BatchNormalization()) for _ in "ab")
    x, results = sequences(), []
    for layer, steps in ((known, 5), (unknown, None)):
        model = model_of(layer, steps, 3)
        model.compile("sgd", "mse", run_eagerly=False)
        model.fit(x, x, verbose=0, shuffle=False)
        results.append(model.get_weights())
    assert_close(*results)


@pytest.mark.parametrize("inner", [None, "mixed_float16"])
@pytest.mark.parametrize("outer", [None, "mixed_float16"])
def test_precision_equals_keras(inner, outer):
    results = []
    for cls in (layers.TimeDistributed, keras.layers.TimeDistributed):
        layer = cls(keras.layers.Dense(2, dtype=inner), dtype=outer)
        layer.build((4, 5, 3))
        fill(layer)
        results.append(to_numpy(layer(sequences())))
    np.testing.assert_allclose(*results, rtol=1e-3, atol=1e-3, strict=True)


def test_flatten_time_has_the_precision_of_its_layer():
    layer = layers.FlattenTime(keras.layers.Dense(2, dtype="mixed_float16"))
    assert to_numpy(layer(sequences())).dtype == "float16"
    assert layer.compute_dtype == "float16"
    again = layers.FlattenTime.from_config(layer.get_config())
    assert to_numpy(again(sequences())).dtype == "float16"

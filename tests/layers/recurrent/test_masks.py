"""Masked time steps have no influence, in either reading direction."""

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    FEATURES,
    MASK,
    UNITS,
    assert_close,
    fill,
    gradients,
    make,
    normal,
    run,
    sequences,
    states,
    to_numpy,
)
from keras import ops

from keras_seq import cells, layers

WAYS = {
    "fast": ("LSTM", {}),
    "another cell": ("GRU", {"go_backwards": True}),
    "general": ("GRUResetBefore", {}),
    "unrolled": ("SimpleRNN", {"unroll": True}),
    "checkpointed": ("PeepholeLSTM", {"checkpoint": True}),
}


@pytest.mark.parametrize("way", WAYS)
def test_nan_and_infinity_in_masked_steps_equal_zeros(way):
    name, options = WAYS[way]
    layer = make(name, return_sequences=True, return_state=True, **options)
    zeros = np.where(MASK[..., None], sequences(), 0).astype("float32")
    hidden = zeros.copy()
    hidden[~MASK] = [np.nan, np.inf, -np.inf]
    initial = states(layer)
    weighting = [normal(*MASK.shape, UNITS, seed=5), *initial]
    actual, expected = (gradients(layer, x, initial, MASK, weighting) for x in (hidden, zeros))
    for ours, desired in zip(actual, expected, strict=True):
        assert_close(ours, desired, 0)


OTHERS = {
    "a cell of Keras": lambda: layers.RNN(keras.layers.GRUCell(UNITS)),
    "CRF": lambda: layers.CRF(UNITS),
    "AttentionPooling": lambda: layers.AttentionPooling(UNITS),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_masked_steps_in_other_layers(kind):
    layer = OTHERS[kind]()
    layer.build((len(MASK), MASK.shape[1], FEATURES))
    fill(layer)
    zeros = np.where(MASK[..., None], sequences(), 0).astype("float32")
    hidden = np.where(MASK[..., None], zeros, np.nan).astype("float32")
    results = []
    for x in (hidden, zeros):
        x = ops.convert_to_tensor(x)
        output = to_numpy(layer(x, mask=ops.convert_to_tensor(MASK)))
        results.append([output, *weight_gradients(layer, x)])
    np.testing.assert_equal(*results)


def weight_gradients(layer, x):
    """Return the gradients of the sum of the finite outputs with respect to the weights."""
    mask, weights = ops.convert_to_tensor(MASK), [w.value for w in layer.trainable_weights]

    def total():
        y = layer(x, mask=mask)
        return ops.sum(ops.where(ops.isfinite(y), y, 0))

    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = total()
        return to_numpy(tape.gradient(value, weights, unconnected_gradients="zero"))
    if BACKEND == "torch":
        import torch

        return to_numpy(list(torch.autograd.grad(total(), weights, materialize_grads=True)))
    import jax

    def of_weights(weights):
        with keras.StatelessScope(list(zip(layer.trainable_variables, weights))):
            return total()

    return to_numpy(jax.jit(jax.grad(of_weights))(weights))


def test_masked_memory_of_an_attention_decoder():
    cell = layers.AttentionDecoderCell(cells.GRUCell(UNITS), memory_units=FEATURES)
    cell.build((None, FEATURES))
    memory, keys = (
        ops.convert_to_tensor(np.where(MASK[..., None], x, np.nan).astype("float32"))
        for x in (sequences(), normal(4, 5, UNITS))
    )
    looked_at = cell.initial_state(memory, keys, MASK)[-3:]
    for actual in cell.attend(ops.convert_to_tensor(normal(4, 2, UNITS)), looked_at):
        assert np.isfinite(to_numpy(actual)).all()


# The order of the mask


def pad_with_nan(x, extra):
    """Return sequences with NaN after their end, and the mask."""
    filled = np.pad(x, [[0, 0], [0, extra], [0, 0]], constant_values=np.nan)
    return filled, np.arange(filled.shape[1]) < np.full((len(x), 1), x.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["GRU", "DiagonalPeepholeLSTM"])
def test_padding_after_a_backward_layer(name):
    model = keras.Sequential(
        [
            make(name, return_sequences=True, go_backwards=True),
            make(name, features=UNITS, return_sequences=True, go_backwards=True),
            make(name, features=UNITS),
        ]
    )
    x = sequences()
    filled, mask = pad_with_nan(x, 3)
    assert_close(run(model, filled, mask=mask), run(model, x))


def test_mask_has_the_order_of_the_outputs():
    layer = make("GRU", return_sequences=True, return_state=True, go_backwards=True)
    outputs, _ = layer(sequences(), mask=ops.convert_to_tensor(MASK))
    assert (to_numpy(outputs._keras_mask) == MASK[:, ::-1]).all()
    assert layer.compute_mask(None, None) == [None, None]
    last = make("GRU", go_backwards=True)
    assert last.compute_mask(None, ops.convert_to_tensor(MASK)) is None


@pytest.mark.slow
def test_mask_order_in_bidirectional_layers():
    first = keras.layers.Bidirectional(layers.GRU(UNITS, return_sequences=True))
    model = keras.Sequential([first, layers.LSTM(2)])
    x = sequences()
    run(model, x)
    filled, mask = pad_with_nan(x, 3)
    assert_close(run(model, filled, mask=mask), run(model, x))
    outputs = first(ops.convert_to_tensor(filled), mask=ops.convert_to_tensor(mask))
    assert (to_numpy(outputs._keras_mask) == mask).all()


@pytest.mark.parametrize("wrap", [False, True])
def test_mask_of_the_previous_layer_is_used_with_an_initial_state(wrap):
    """Keras passes a mask on only if the call has no other tensor."""
    layer = layers.GRU(UNITS, return_state=True)
    layer = keras.layers.Bidirectional(layer) if wrap else layer
    inputs, state = keras.Input((None, FEATURES)), keras.Input((UNITS,))
    masked = keras.layers.Masking()(inputs)
    initial = [state] * (2 if wrap else 1)
    model = keras.Model([inputs, state], layer(masked, initial_state=initial))
    x, initial = sequences(), normal(4, UNITS)
    filled = np.concatenate([x, np.zeros_like(x)], axis=1)
    assert_close(run(model, [filled, initial]), run(model, [x, initial]))


# The last output


LAST = {
    "fast": ("LSTM", {}),
    "backwards": ("GRU", {"go_backwards": True}),
    "general": ("GRUResetBefore", {}),
    "unrolled": ("SimpleRNN", {"go_backwards": True, "unroll": True}),
    "checkpointed": ("LSTM", {"checkpoint": True}),
}


@pytest.mark.parametrize("way", LAST)
def test_last_output_with_zero_output_for_mask(way):
    name, options = LAST[way]
    options = {"zero_output_for_mask": True, **options}
    last, whole = make(name, **options), make(name, return_sequences=True, **options)
    (actual,), (outputs,) = (run(layer, sequences(), mask=MASK) for layer in (last, whole))
    assert_close([actual], [outputs[:, -1]])
    ends = MASK[:, 0 if options.get("go_backwards") else -1]
    assert not actual[~ends].any() and actual[ends].all()

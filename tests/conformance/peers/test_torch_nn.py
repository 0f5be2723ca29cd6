"""Outputs, states and gradients equal those of `torch.nn.LSTM`, `GRU` and `RNN`."""

import keras
import numpy as np
import pytest
from helpers import (
    BATCH,
    FEATURES,
    TIMESTEPS,
    UNITS,
    assert_close,
    fill,
    gradients,
    normal,
    run,
    sequences,
    states,
)

from keras_seq import layers

torch = pytest.importorskip("torch")

# Our layer with arguments, torch's, and the order of torch's gates among Keras's.
PAIRS = {
    "LSTM": (layers.LSTM, {}, "LSTM", {}, (0, 1, 2, 3)),
    "GRU": (layers.GRU, {}, "GRU", {}, (1, 0, 2)),
    "tanh": (layers.SimpleRNN, {}, "RNN", {}, (0,)),
    "relu": (layers.SimpleRNN, {"activation": "relu"}, "RNN", {"nonlinearity": "relu"}, (0,)),
}

# Number of unmasked steps per row. torch needs them first and in order.
LENGTHS = [5, 3, 1, 4]
PADDED = np.arange(TIMESTEPS) < np.array(LENGTHS)[:, None]


def in_order(array, order):
    """Return the blocks of the last axis, one per gate, in another order; it is its own inverse."""
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[gate] for gate in order], axis=-1)


def to_torch(weights, order):
    """Return the weights of one of our layers in torch's layout: w_ih, w_hh and the biases."""
    kernel, recurrent, *bias = (in_order(w, order) for w in weights)
    halves = []
    if bias:
        halves = list(bias[0]) if bias[0].ndim == 2 else [bias[0], np.zeros_like(bias[0])]
    return [kernel.T, recurrent.T, *halves]


def from_torch(arrays, order, two_biases):
    """Return torch's gradients in the layout of our weights."""
    w_ih, w_hh, *biases = arrays
    weights = [in_order(w.T, order) for w in (w_ih, w_hh)]
    if biases:
        bias = np.stack(biases) if two_biases else biases[0]
        weights.append(in_order(bias, order))
    return weights


def peer(name, weights, **options):
    """Return torch's layer with our weights, one list per direction and layer."""
    _, _, cls, arguments, order = PAIRS[name]
    layer = getattr(torch.nn, cls)(FEATURES, UNITS, batch_first=True, **arguments, **options)
    arrays = [array for part in weights for array in to_torch(part, order)]
    with torch.no_grad():
        for parameter, array in zip(layer.parameters(), arrays, strict=True):
            parameter.copy_(torch.tensor(np.ascontiguousarray(array)))
    return layer


def packed(x):
    lengths = torch.tensor(LENGTHS)
    return torch.nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False)


def unpacked(y):
    return torch.nn.utils.rnn.pad_packed_sequence(y, True, total_length=TIMESTEPS)[0]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("name", PAIRS)
def test_outputs_states_and_gradients(name, use_bias, masked):
    cls, arguments, _, _, order = PAIRS[name]
    options = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    layer = cls(UNITS, use_bias=use_bias, **arguments, **options)
    layer.build((BATCH, TIMESTEPS, FEATURES))
    fill(layer)
    x, initial = sequences(), states(layer)
    shapes = layer.compute_output_shape(x.shape)
    weighting = [1 + normal(*shape, seed=9 + i) for i, shape in enumerate(shapes)]
    results, actual = gradients(layer, x, initial, PADDED if masked else None, weighting)

    theirs = peer(name, [layer.get_weights()], bias=use_bias)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *initial)]
    initial = tuple(state[None] for state in tensors[1:])
    initial = initial if len(initial) > 1 else initial[0]
    y, after = theirs(packed(tensors[0]) if masked else tensors[0], initial)
    expected = [unpacked(y) if masked else y]
    expected += [state[0] for state in (after if isinstance(after, tuple) else [after])]
    total = sum((e * torch.tensor(w)).sum() for e, w in zip(expected, weighting, strict=True))
    grads = [g.numpy() for g in torch.autograd.grad(total, [*theirs.parameters(), *tensors])]
    of_weights = from_torch(grads[: -len(tensors)], order, two_biases=name == "GRU")

    assert_close(results, [e.detach().numpy() for e in expected])
    assert_close(actual, [*of_weights, *grads[-len(tensors) :]], 1e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_two_bidirectional_layers(name, masked):
    cls, arguments, _, _, _ = PAIRS[name]
    options = {"return_sequences": True, "zero_output_for_mask": True, **arguments}
    inputs = keras.Input((TIMESTEPS, FEATURES))
    mask = keras.Input((TIMESTEPS,), dtype="bool")
    both = [keras.layers.Bidirectional(cls(UNITS, **options)) for _ in range(2)]
    outputs = both[1](both[0](inputs, mask=mask), mask=mask)
    model = keras.Model([inputs, mask], outputs)
    fill(model)
    halves = [half for pair in both for half in (pair.forward_layer, pair.backward_layer)]

    theirs = peer(name, [h.get_weights() for h in halves], num_layers=2, bidirectional=True)
    x = sequences()
    seen = PADDED if masked else np.ones_like(PADDED)
    with torch.no_grad():
        y, _ = theirs(packed(torch.tensor(x)) if masked else torch.tensor(x))
        expected = unpacked(y) if masked else y
    assert_close(run(model, [x, seen]), [expected.numpy()], 1e-5)

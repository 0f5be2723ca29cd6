"""Gradients through time, compared to finite differences and to the passes of training."""

import keras
import numpy as np
import pytest
import reference
from helpers import (
    BACKEND,
    CELLS,
    MASK,
    THOROUGH,
    UNITS,
    assert_close,
    fill,
    normal,
    sequences,
)
from keras import ops

import keras_seq
from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.scan import general_only
from keras_seq.scan.passes import PASSES, cell_weights
from keras_seq.tracing import LayerTrace, gate_statistics

DTYPE = "float64" if BACKEND == "tensorflow" else "float32"
TOLERANCE = 1e-7 if BACKEND == "tensorflow" else 1e-4
TIMESTEPS = MASK.shape[1]
CASES = [("GRU", True, True), ("DiagonalPeepholeLSTM", True, False)]
CASES += [(name, False, False) for name in CELLS] if THOROUGH else []


def perturbed_run(cell, weights, x, mask, perturbation, backwards, zeros):
    """Return all outputs (timesteps, batch, units) in the order of time, and the last h.

    A loop of its own around the reference's cell: `perturbation` (states, timesteps, batch, units)
    are added to the states after each time step that counts.
    """
    forward, count = reference.CELLS[cell].forward, len(perturbation)
    states = [np.zeros((len(x), UNITS))] * count
    outputs, output = [None] * TIMESTEPS, np.zeros((len(x), UNITS))
    for t in range(TIMESTEPS)[::-1] if backwards else range(TIMESTEPS):
        new, _ = forward([w.astype("float64") for w in weights], x[:, t], states)
        seen = mask[:, t, None]
        states = [
            np.where(seen, state + move[t], old)
            for state, move, old in zip(new, perturbation, states)
        ]
        output = np.where(seen, states[0], 0 if zeros else output)
        outputs[t] = output
    return np.stack(outputs), states[0]


def finite_differences(function, shape, step=1e-5):
    """Return central differences of a function, with the shape of its values, then `shape`."""
    slopes = []
    for place in np.ndindex(*shape):
        perturbation = np.zeros(shape)
        perturbation[place] = step
        slopes.append((function(perturbation) - function(-perturbation)) / (2 * step))
    slopes = np.stack(slopes, axis=-1)
    return slopes.reshape(*slopes.shape[:-1], *shape)


def make_layer(name, backwards=False, zeros=False):
    cls, fixed = CELLS[name]
    options = {"go_backwards": backwards, "zero_output_for_mask": zeros, "dtype": DTYPE}
    return cls(UNITS, **fixed, **options, return_sequences=True, name="layer")


def masked_model(layer):
    """Return a model with one layer, and inputs that are masked by `MASK`."""
    inputs = keras.Input((TIMESTEPS, 3), dtype=DTYPE)
    model = keras.Model(inputs, layer(keras.layers.Masking(dtype=DTYPE)(inputs)))
    return fill(model), np.where(MASK[:, :, None], sequences(dtype=DTYPE), 0)


@pytest.mark.parametrize("name, backwards, zeros", CASES)
def test_gradients_equal_finite_differences(name, backwards, zeros):
    layer = make_layer(name, backwards, zeros)
    model, x = masked_model(layer)
    weighting = normal(*MASK.shape, UNITS, seed=9, dtype=DTYPE)
    with general_only():
        trace = keras_seq.trace(model, x)
    norms_by_state = trace.gradient_norms(lambda y: ops.sum(ops.multiply(y * y, weighting)))[
        "layer"
    ]
    # In the order of the input's time, unlike the outputs of the model.
    order = weighting[:, ::-1] if backwards else weighting

    def loss(perturbation):
        outputs, _ = perturbed_run(
            name, layer.get_weights(), x, MASK, perturbation, backwards, zeros
        )
        return np.sum(outputs**2 * order.swapaxes(0, 1))

    shape = (len(norms_by_state), TIMESTEPS, *x.shape[:1], UNITS)
    expected = np.linalg.norm(finite_differences(loss, shape), axis=-1).swapaxes(1, 2)
    assert_close(norms_by_state.values(), expected, TOLERANCE)
    assert all((norms[~MASK] == 0).all() for norms in norms_by_state.values())


@pytest.mark.parametrize("name, backwards, zeros", CASES)
def test_jacobians_equal_finite_differences(name, backwards, zeros):
    layer = make_layer(name, backwards, zeros)
    model, x = masked_model(layer)
    with general_only():
        norms_by_state = keras_seq.trace(model, x).jacobian_norms("layer")

    def last(perturbation):
        return perturbed_run(name, layer.get_weights(), x, MASK, perturbation, backwards, zeros)[1]

    every = finite_differences(last, (len(norms_by_state), TIMESTEPS, *x.shape[:1], UNITS))
    rows = np.arange(len(x))  # the rows of each sequence
    jacobian = every[rows, :, :, :, rows]  # (batch, units of h_T, states, timesteps, units)
    expected = np.linalg.norm(jacobian.transpose(2, 0, 3, 1, 4), ord=2, axis=(-2, -1))
    assert_close(norms_by_state.values(), expected, TOLERANCE)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="one backend's arithmetic will do")
@pytest.mark.parametrize("name", [name for name in CELLS if name != "GRUResetBefore"])
def test_gradients_are_what_the_hand_derived_passes_hand_on(name):
    """Run the backward pass one time step at a time, adding the gradients of the outputs."""
    layer, x = make_layer(name), sequences(dtype=DTYPE)
    layer.build(x.shape)
    fill(layer)
    with general_only():
        norms_by_state = keras_seq.trace(layer, x).gradient_norms(lambda y: ops.sum(y**3))["layer"]

    module, count = PASSES[type(layer.cell)], len(norms_by_state)
    kernel, *weights = [ops.convert_to_tensor(w) for w in cell_weights(layer.cell, DTYPE)]
    states = [ops.zeros((len(x), UNITS), DTYPE)] * count
    hs, _, residuals = module.forward(weights, ops.matmul(x, kernel), states, None, False, True)
    handed, expected = [ops.zeros_like(state) for state in states], []
    for t in reversed(range(TIMESTEPS)):
        d_output, none = 3 * hs[:, t] ** 2, ops.zeros((len(x), 1, UNITS), DTYPE)
        handed = [handed[0] + d_output, *handed[1:]]
        expected.insert(0, [np.linalg.norm(d, axis=-1) for d in handed])
        now = [part[:, t : t + 1] for part in residuals]
        handed = module.backward(weights, None, False, now, none, handed)[3]
    assert_close(norms_by_state.values(), [np.stack(d, axis=1) for d in zip(*expected)], 1e-12)


def test_gradients_pass_through_what_stands_above():
    """Compare stacked cells to the same cells in two layers, of which one is not traced."""
    x, options = sequences(), {"return_sequences": True}
    stack = layers.RNN([layers.GRU(UNITS).cell, layers.LSTM(UNITS).cell], name="stack", **options)
    apart = [layers.GRU(UNITS, name="gru", **options), layers.LSTM(UNITS, name="lstm", **options)]
    one, two = (
        keras.Sequential([keras.Input((None, 3)), *some, keras.layers.Dense(2)])
        for some in ([stack], apart)
    )
    fill(one)
    two.set_weights(one.get_weights())
    with general_only():
        traces = [keras_seq.trace(one, x), keras_seq.trace(two, x)]
    stacked, separate = (trace.gradient_norms(lambda y: ops.mean(ops.tanh(y))) for trace in traces)
    for place, name in enumerate(("gru", "lstm")):
        norms = separate[name].values()
        assert_close(stacked[f"stack/{place}"].values(), norms, 1e-5)
        one_by_one = traces[1].jacobian_norms(name).values()
        assert_close(traces[0].jacobian_norms(f"stack/{place}").values(), one_by_one, 1e-5)
    # A layer that is not traced uses the fast path, with the gradient of training.
    alone = keras_seq.trace(two, x, layers=["gru"]).gradient_norms(lambda y: ops.mean(ops.tanh(y)))
    assert list(alone) == ["gru"]
    assert_close(alone["gru"].values(), separate["gru"].values(), 1e-5)


def test_nothing_is_dropped_after_training_too():
    layer = layers.GRU(UNITS, recurrent_dropout=0.5, dropout=0.5, name="layer", seed=0)
    x = sequences()
    layer(x)
    fill(layer)
    trace = keras_seq.trace(layer, x)
    before = trace.gradient_norms(ops.sum)["layer"]["h"]
    layer(x, training=True)
    assert_close([trace.gradient_norms(ops.sum)["layer"]["h"]], [before])


def test_what_a_loss_counts_is_not_changed():
    """Compiled losses of several outputs update running means."""
    model, x = masked_model(make_layer("GRU"))
    counted = keras.Variable(0.0)

    def loss(y):
        counted.assign_add(1.0)
        return ops.sum(y)

    with general_only():
        keras_seq.trace(model, x).gradient_norms(loss)
    assert float(ops.convert_to_numpy(counted)) == 0


def test_a_loss_must_be_one_number():
    model, x = masked_model(make_layer("GRU"))
    with pytest.raises(InputError, match=r"return a scalar, got a tensor of shape \(4, 5,"):
        keras_seq.trace(model, x).gradient_norms(lambda y: y)


def layer_trace(**gates):
    mask = np.array([[True, True, False]])
    return LayerTrace(gates, {}, np.zeros((1, 3, 1)), mask, {}, False, 0.0)


def test_statistics_leave_out_what_is_masked_and_the_candidate():
    gate = np.array([[[0.05, 0.95], [0.5, 0.92], [0.0, 0.0]]])
    statistics = gate_statistics.statistics_by_gate(layer_trace(forget=gate, candidate=gate))
    assert list(statistics) == ["forget"]
    assert statistics["forget"] == pytest.approx((0.605, 0.25, 0.5))


def test_memory_is_the_time_in_which_a_state_decays():
    """After that many steps, 1/e of a state is left."""
    keep = np.array([[[0.5, 1.0], [0.8, 1.0], [0.0, 0.0]]])
    length, endless = gate_statistics.memory_length(layer_trace(input=keep, forget=keep))
    assert (0.5 * 0.8) ** (length / 2) == pytest.approx(np.exp(-1))
    assert endless > 1e6
    assert gate_statistics.memory_length(layer_trace(candidate=keep)) is None
    model, x = masked_model(make_layer("GRU"))
    trace = keras_seq.trace(model, x)
    assert trace.memory_length()["layer"].shape == (UNITS,)
    assert list(trace.gate_statistics()["layer"]) == ["update", "reset"]

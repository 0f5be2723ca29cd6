"""LSTM, GRU and SimpleRNN against Keras's layers with equal weights, under all options."""

import inspect
from itertools import product

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    MASK,
    SOME,
    THOROUGH,
    UNITS,
    assert_close,
    make,
    run,
    sequences,
    states,
)

from keras_seq import cells, layers

pytestmark = pytest.mark.usefixtures("either_way")

# Our layer, Keras's layer, our cell, Keras's cell, arguments.
PAIRS = {
    "SimpleRNN": (layers.SimpleRNN, keras.layers.SimpleRNN, {}),
    "GRU": (layers.GRU, keras.layers.GRU, {"reset_after": True}),
    "GRUResetBefore": (layers.GRU, keras.layers.GRU, {"reset_after": False}),
    "LSTM": (layers.LSTM, keras.layers.LSTM, {}),
}
FEW = PAIRS if THOROUGH else ["LSTM"]
CELL_PAIRS = {
    "SimpleRNN": (cells.SimpleRNNCell, keras.layers.SimpleRNNCell),
    "GRU": (cells.GRUCell, keras.layers.GRUCell),
    "LSTM": (cells.LSTMCell, keras.layers.LSTMCell),
}


def pair(name, **options):
    """Return our layer and Keras's, with equal weights."""
    ours = make(name, **options)
    _, cls, fixed = PAIRS[name]
    theirs = cls(UNITS, **fixed, **options)
    theirs.build((len(MASK), None, ours.cell.kernel.shape[0]))
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def keras_is_right(masked, has_states, options):
    """Return whether Keras's loop on this backend computes what its documentation says."""
    on = {name for name, value in options.items() if value}
    if not masked:
        return True
    if "unroll" in on:
        # Keras places the zeros by the unreversed mask. On JAX there are none, and
        # torch cannot reverse the mask.
        if "zero_output_for_mask" in on and (BACKEND == "jax" or "go_backwards" in on):
            return False
        return not (BACKEND == "torch" and "go_backwards" in on)
    # On JAX the initial state, not zeros, precedes the first output.
    return not (BACKEND == "jax" and has_states and "zero_output_for_mask" not in on)


SWITCHES = ("go_backwards", "return_state", "zero_output_for_mask")
# All pairs of values of any two switches.
PAIRWISE = [(False, False, False), (False, True, True), (True, False, True), (True, True, False)]
COMBINATIONS = PAIRWISE if THOROUGH else [(True, True, True)]


def calls(layer, options):
    """Yield masks with and without initial states for which Keras's loop is right."""
    for mask, initial in product([None, MASK], [None, states(layer)]):
        if keras_is_right(mask is not None, initial is not None, options):
            yield {"mask": mask, "initial_state": initial}


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True] if THOROUGH else [True])
@pytest.mark.parametrize("name", PAIRS)
def test_equal_under_all_options(name, return_sequences, unroll):
    x, compared = sequences(), 0
    for switches in COMBINATIONS:
        options = dict(zip(SWITCHES, switches, strict=True))
        options |= {"return_sequences": return_sequences, "unroll": unroll}
        ours, theirs = pair(name, **options)
        for call_options in calls(ours, options):
            assert_close(run(ours, x, **call_options), run(theirs, x, **call_options))
            compared += 1
    assert compared >= 2 * len(COMBINATIONS)


OTHERS = {
    "no bias": {"use_bias": False},
    "relu": {"activation": "relu"},
    "linear": {"activation": None},
    "hard gates": {"recurrent_activation": "hard_sigmoid"},
    "dropout": {"dropout": 0.5, "seed": 3},
}


@pytest.mark.parametrize(
    ("name", "case"),
    # SimpleRNN has no gates.
    [pair for pair in product(FEW, OTHERS) if pair != ("SimpleRNN", "hard gates")],
)
def test_equal_under_other_arguments(name, case):
    ours, theirs = pair(name, **OTHERS[case])
    x = sequences()
    results = [run(layer, x, training=True) for layer in (ours, theirs)]
    assert_close(*results)
    assert_close(run(ours, x), run(theirs, x))


@pytest.mark.parametrize("name", PAIRS)
def test_weights_and_config_equal_keras(name):
    ours_class, theirs_class, fixed = PAIRS[name]
    ours, theirs = ours_class(UNITS, **fixed), theirs_class(UNITS, **fixed)
    x = sequences()
    run(ours, x), run(theirs, x)
    assert_close(ours.get_weights()[2:], theirs.get_weights()[2:])  # initial biases
    ours.set_weights(theirs.get_weights())
    assert_close(run(ours, x), run(theirs, x))
    config, expected = ours.get_config(), theirs.get_config() | {"name": ours.name}
    assert {k: config[k] for k in expected} == expected


@pytest.mark.parametrize("name", PAIRS)
def test_arguments_equal_keras(name):
    ours, theirs, _ = PAIRS[name]
    ours, theirs = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
    of_every_layer = {"activity_regularizer", "kwargs"}
    expected = {k: p.default for k, p in theirs.items() if k not in of_every_layer}
    assert {k: ours[k].default for k in expected} == expected
    first = list(theirs).index("bias_initializer") + 1
    assert list(ours)[:first] == list(theirs)[:first]


@pytest.mark.parametrize("name", FEW)
def test_stateful_over_three_batches_and_after_a_reset(name):
    ours, theirs = pair(name, stateful=True, return_sequences=True, zero_output_for_mask=True)
    batches = [sequences(seed=s) for s in range(3)]
    seen = []
    for x in batches:
        result = run(ours, x, mask=MASK)
        assert_close(result, run(theirs, x, mask=MASK))
        seen.append(result)
    again = run(ours, batches[0], mask=MASK)
    assert np.abs(again[0] - seen[0][0]).max() > 1e-3
    for layer in (ours, theirs):
        layer.reset_state()
    assert_close(run(ours, batches[0], mask=MASK), seen[0])


# Keras merges the directions.
MERGED = [(name, "concat") for name in FEW] + [("LSTM", m) for m in ("sum", "mul", "ave", None)]


@pytest.mark.parametrize(("name", "merge_mode"), MERGED if THOROUGH else MERGED[:1])
def test_equal_inside_bidirectional(name, merge_mode):
    ours_class, theirs_class, fixed = PAIRS[name]
    x = sequences()
    for return_sequences in (False, True) if THOROUGH else (True,):
        options = {"return_sequences": return_sequences, "return_state": True, **fixed}
        ours, theirs = (
            keras.layers.Bidirectional(cls(UNITS, **options), merge_mode=merge_mode)
            for cls in (ours_class, theirs_class)
        )
        run(ours, x), run(theirs, x)
        theirs.set_weights(ours.get_weights())
        for mask in (None, MASK) if THOROUGH else (MASK,):
            assert_close(run(ours, x, mask=mask), run(theirs, x, mask=mask), 1e-5)


@pytest.mark.parametrize("wrapper", [layers.RNN, keras.layers.RNN])
@pytest.mark.parametrize("name", CELL_PAIRS if THOROUGH else ["LSTM"])
def test_equal_when_stacked(name, wrapper):
    ours_class, theirs_class = CELL_PAIRS[name]
    options = {"return_sequences": True, "return_state": True}
    ours = wrapper([ours_class(n) for n in (3, 2)], **options)
    stack = keras.layers.StackedRNNCells([theirs_class(n) for n in (3, 2)])
    theirs = keras.layers.RNN(stack, **options)
    x = sequences()
    run(ours, x), run(theirs, x)
    theirs.set_weights(ours.get_weights())
    for mask in (None, MASK):
        assert_close(run(ours, x, mask=mask), run(theirs, x, mask=mask), 1e-5)


@pytest.mark.parametrize("name", SOME)
def test_cell_in_keras_rnn_equals_the_layer(name):
    x = sequences()
    for switches in COMBINATIONS:
        options = dict(zip(SWITCHES, switches, strict=True)) | {"return_sequences": True}
        ours = make(name, **options)
        theirs = keras.layers.RNN(ours.cell, **options)
        for call_options in calls(ours, options):
            assert_close(run(ours, x, **call_options), run(theirs, x, **call_options))

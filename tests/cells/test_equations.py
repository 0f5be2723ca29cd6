"""Equations of the cells against the NumPy reference and the LSTM operator of ONNX."""

import numpy as np
import pytest
import reference
from helpers import (
    CELLS,
    MASK,
    THOROUGH,
    assert_close,
    gradients,
    in_precision,
    make,
    normal,
    run,
    sequences,
    slow_but,
    states,
    to_numpy,
)
from keras import ops

TOLERANCE = {"float32": 1e-6, "float64": 1e-10}

# On JAX and torch, operations of Keras return float32 for float64
# (https://github.com/keras-team/keras/issues/23704); the cells do not.
DTYPES = ["float32", "float64"]

BACK, UNROLL = {"go_backwards": True}, {"unroll": True}
LAST, NO_BIAS = {"return_sequences": False}, {"use_bias": False}
ZEROS = {"zero_output_for_mask": True}

# Arguments of the layer, whether there is a mask, whether initial states are given.
CASES = {
    "plain": ({}, False, False),
    "backwards": (BACK, False, True),
    "last": (LAST | NO_BIAS, False, True),
    "mask": ({}, True, False),
    "mask, states": (NO_BIAS, True, True),
    "mask, backwards": (BACK, True, True),
    "mask, last": (LAST, True, True),
    "zeros": (ZEROS | BACK | NO_BIAS, True, True),
    "zeros, last": (ZEROS | LAST, True, True),
    "unrolled": (UNROLL | BACK, True, True),
}
FEW = ["last", "mask, backwards", "zeros, last"]


# The full set of cases runs in float64 only.
EVERY = [
    (name, case, dtype)
    for name in CELLS
    for dtype in DTYPES
    for case in (CASES if THOROUGH and dtype == DTYPES[-1] else FEW)
]
QUICK = [(name, "mask, backwards", DTYPES[-1]) for name in CELLS]


@pytest.mark.parametrize(("name", "case", "dtype"), slow_but(QUICK, EVERY))
def test_results_and_all_gradients_equal_the_reference(name, case, dtype):
    with in_precision(dtype):
        check_against_reference(name, case, dtype)


def check_against_reference(name, case, dtype):
    arguments, masked, given = CASES[case]
    arguments = {"return_sequences": True, "return_state": True} | arguments
    layer = make(name, dtype=dtype, **arguments)
    x, mask = sequences(dtype=dtype), MASK if masked else None
    initial = states(layer, dtype=dtype) if given else None
    shapes = layer.compute_output_shape(x.shape)
    weighting = [1 + normal(*s, seed=9 + i, dtype=dtype) for i, s in enumerate(shapes)]
    results, actual = gradients(layer, x, initial, mask, weighting)
    assert {str(a.dtype) for a in results + actual} == {dtype}

    switches = {k: arguments.get(k, False) for k in ("go_backwards", "zero_output_for_mask")}
    truth = reference.run(name, layer.get_weights(), x, initial, mask, **switches)
    d_output, *d_states = weighting
    output = "outputs" if arguments["return_sequences"] else "last_output"
    expected = reference.gradients(truth, **{f"d_{output}": d_output}, d_states=d_states)
    assert_close(results, [getattr(truth, output), *truth.states], TOLERANCE[dtype])
    d_given = [expected.inputs, *(expected.initial_state if given else [])]
    assert_close(actual, [*expected.weights, *d_given], TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CELLS)
def test_every_gate_at_every_step_equals_the_reference(name, dtype):
    with in_precision(dtype):
        check_gates(name, dtype)


def check_gates(name, dtype):
    layer = make(name, dtype=dtype)
    x, initial = sequences(dtype=dtype), states(layer, dtype=dtype)
    truth = reference.run(name, layer.get_weights(), x, initial)
    projected = layer.cell.project(ops.convert_to_tensor(x))
    state = [ops.convert_to_tensor(s) for s in initial]
    for t in range(x.shape[1]):
        output, state, gates = layer.cell.step(projected[:, t], state)
        assert list(gates) == list(truth.gates)
        expected = [truth.outputs[:, t], *(values[:, t] for values in truth.gates.values())]
        assert_close(to_numpy([output, *gates.values()]), expected, TOLERANCE[dtype])
    assert_close(to_numpy(state), truth.states, TOLERANCE[dtype])


@pytest.mark.parametrize("name", CELLS)
def test_project_is_the_same_for_one_step_and_all_steps(name):
    cell, x = make(name).cell, ops.convert_to_tensor(sequences())
    steps = [cell.project(x[:, t]) for t in range(x.shape[1])]
    assert_close([to_numpy(cell.project(x))], [np.stack(to_numpy(steps), axis=1)])


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_diagonal_peephole_equals_the_lstm_operator_of_onnx(direction):
    onnxruntime = pytest.importorskip("onnxruntime")
    helper = pytest.importorskip("onnx.helper")
    layer = make(
        "DiagonalPeepholeLSTM",
        go_backwards=direction == "reverse",
        return_sequences=True,
        return_state=True,
    )
    x, (h, c), units = sequences(), states(layer), layer.units
    kernel, recurrent_kernel, bias, p_i, p_f, p_o = layer.get_weights()

    def iofc(weight):
        """Keras's columns i, f, c, o as rows in ONNX's order."""
        i, f, c, o = np.split(weight.T, 4)
        return np.concatenate([i, o, f, c])[None]

    feeds = {
        "X": x.swapaxes(0, 1),
        "W": iofc(kernel),
        "R": iofc(recurrent_kernel),
        "B": np.concatenate([iofc(bias), np.zeros((1, 4 * units), bias.dtype)], axis=1),
        "initial_h": h[None],
        "initial_c": c[None],
        "P": np.concatenate([p_i, p_o, p_f])[None],
    }
    inputs = ["X", "W", "R", "B", "", "initial_h", "initial_c", "P"]
    outputs = ["Y", "Y_h", "Y_c"]
    node = helper.make_node("LSTM", inputs, outputs, hidden_size=units, direction=direction)
    graph = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info(k, 1, v.shape) for k, v in feeds.items()],
        [helper.make_tensor_value_info(k, 1, None) for k in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    y, y_h, y_c = session.run(None, feeds)

    y = y[:, 0].swapaxes(0, 1)  # ONNX keeps input order, the layer returns scan order
    y = y[:, ::-1] if direction == "reverse" else y
    assert_close(run(layer, x, initial_state=[h, c]), [y, y_h[0], y_c[0]])

"""ONNX's test cases of its operators LSTM, GRU and RNN, computed by our layers.

The installed `onnx` generates them: weights and inputs, and the outputs that its NumPy
implementation of the operators expects.
"""

import numpy as np
import pytest
from helpers import assert_close, run

from keras_seq import layers

cases = pytest.importorskip("onnx.backend.test.case.node")
onnx = pytest.importorskip("onnx")
for name in ("gru", "lstm", "rnn"):
    pytest.importorskip(f"onnx.backend.test.case.node.{name}")  # fills the table of cases

CASES = {
    case.name: case
    for case in cases._NodeTestCases
    if case.model.graph.node[0].op_type in ("GRU", "LSTM", "RNN")
}


def in_order_of_keras(operator, array):
    """Return the rows of the gates in Keras's order, from ONNX's."""
    ours, theirs = {"LSTM": ("ifco", "iofc"), "GRU": ("zrh", "zrh"), "RNN": ("h", "h")}[operator]
    rows = dict(zip(theirs, np.split(array, len(theirs))))
    return np.concatenate([rows[gate] for gate in ours])


def layer_of(operator, units, backward, w, r, b, p):
    """Return the layer that computes one direction of an operator.

    Args:
        operator: "LSTM", "GRU" or "RNN".
        units: Number of hidden units.
        backward: Whether the direction is reverse.
        w, r, b, p: Weights of this direction as ONNX has them, `b` and `p` None if left out.
    """
    options = {"go_backwards": backward, "return_sequences": True, "return_state": True}
    options["use_bias"] = b is not None
    if operator == "LSTM":
        cls = layers.LSTM if p is None else layers.DiagonalPeepholeLSTM
    elif operator == "GRU":
        cls, options["reset_after"] = layers.GRU, False
    else:
        cls = layers.SimpleRNN
    layer = cls(units, **options)
    layer.build((None, None, w.shape[-1]))
    weights = [in_order_of_keras(operator, array).T for array in (w, r)]
    if b is not None:
        weights.append(sum(in_order_of_keras(operator, half) for half in np.split(b, 2)))
    if p is not None:
        p_i, p_o, p_f = np.split(p, 3)
        weights += [p_i, p_f, p_o]
    layer.set_weights(weights)
    return layer


def test_number_of_cases():
    assert len(CASES) >= 18


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    case = CASES[name]
    (node,) = case.model.graph.node
    ((inputs, outputs),) = case.data_sets
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    tensors = dict(zip(filter(None, node.input), inputs, strict=True))
    expected = dict(zip(filter(None, node.output), outputs, strict=True))
    batch_first = attributes.get("layout", 0) == 1

    x = tensors["X"] if batch_first else tensors["X"].swapaxes(0, 1)
    direction = attributes.get("direction", b"forward")
    lengths = tensors.get("sequence_lens")
    mask = None if lengths is None else np.arange(x.shape[1]) < np.asarray(lengths)[:, None]
    ys, finals = [], []
    for number in range(2 if direction == b"bidirectional" else 1):
        backward = direction == b"reverse" or number == 1
        w, r, b, p = (tensors[key][number] if key in tensors else None for key in "WRBP")
        layer = layer_of(node.op_type, attributes["hidden_size"], backward, w, r, b, p)
        keys = [key for key in ("initial_h", "initial_c") if key in tensors]
        states = [tensors[key][:, number] if batch_first else tensors[key][number] for key in keys]
        y, *after = run(layer, x, mask=mask, initial_state=states or None)
        ys.append(y[:, ::-1] if backward else y)
        finals.append(after)
    # ONNX: Y (timesteps, directions, batch, units), states (directions, batch, units).
    actual = {"Y": np.stack(ys).transpose(2, 0, 1, 3)}
    actual |= {key: np.stack(states) for key, states in zip(("Y_h", "Y_c"), zip(*finals))}
    if batch_first:
        actual["Y"] = actual["Y"].transpose(2, 0, 1, 3)
        actual |= {key: actual[key].swapaxes(0, 1) for key in actual if key != "Y"}
    assert_close([actual[key] for key in expected], list(expected.values()))

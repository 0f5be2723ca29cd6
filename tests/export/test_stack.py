"""Exports of `RNNStack`, whose layers become the same operators as single layers."""

import collections

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import ops

from keras_seq import cells, export, layers

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports from TensorFlow"
)

X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [1, 0, 0, 0, 0]], bool)


def operators(graph):
    """Return the count of each operator in a graph, including the bodies of loops."""
    counts = collections.Counter(node.op_type for node in graph.node)
    for node in graph.node:
        for attribute in node.attribute:
            counts += operators(attribute.g)
    return counts


def exported(model, folder, inputs):
    """Export a model, and return the count of each operator, and the outputs."""
    report = export.onnx(model, folder, inputs)
    assert report["max_abs_error"] < 1e-5
    file = folder / "predict.onnx"
    session = onnxruntime.InferenceSession(file)
    names = [value.name for value in session.get_inputs()]
    results = session.run(None, dict(zip(names, inputs)))
    return operators(onnx.load(file).graph), results


@pytest.mark.parametrize(
    ("cell", "operator"),
    [("LSTM", "LSTM"), pytest.param("GRU", "GRU", marks=pytest.mark.slow)],
)
def test_both_directions_become_one_operator(cell, operator, tmp_path):
    inputs = [keras.Input((None, 2), name="x"), keras.Input((None,), dtype="bool", name="mask")]
    stack = layers.RNNStack(cell, 4, 2, bidirectional=True, residual=True, normalization=True)
    model = keras.Model(inputs, stack(inputs[0], mask=inputs[1]))
    counts, [outputs] = exported(model, tmp_path / "it", [X, MASK])
    assert counts[operator] == 2 and not counts["Loop"] + counts["Scan"]
    np.testing.assert_allclose(outputs, ops.convert_to_numpy(model([X, MASK])), atol=1e-5)


def test_states_are_inputs_and_outputs(tmp_path):
    stack = layers.RNNStack("GRU", 4, 2, return_state=True)
    x = keras.Input((None, 2), name="x")
    states = [[keras.Input((4,), name=f"h_{number}")] for number in range(2)]
    outputs, after = stack(x, initial_state=states)
    outputs_by_name = {"outputs": outputs, "next_0": after[0][0], "next_1": after[1][0]}
    model = keras.Model([x, *states[0], *states[1]], outputs_by_name)
    before = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    counts, _ = exported(model, tmp_path / "it", [X, *before])
    assert counts["GRU"] == 2


def test_a_custom_cell_becomes_scan(tmp_path):
    inputs = keras.Input((None, 2), name="x")
    model = keras.Model(inputs, layers.RNNStack(cells.PeepholeLSTMCell, 4, 2)(inputs))
    counts, [outputs] = exported(model, tmp_path / "it", [X])
    assert counts["Scan"] == 2
    np.testing.assert_allclose(outputs, ops.convert_to_numpy(model(X)), atol=1e-5)

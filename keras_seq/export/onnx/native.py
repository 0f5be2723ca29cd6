"""Recurrent operators of ONNX, and warnings about runtimes that compute them wrongly."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_seq import cells
from keras_seq.export.onnx.placeholders import Operator

ACTIVATIONS = {
    keras.activations.tanh: "Tanh",
    keras.activations.sigmoid: "Sigmoid",
    keras.activations.relu: "Relu",
    keras.activations.softsign: "Softsign",
    keras.activations.softplus: "Softplus",
}
"""ONNX names of Keras activations."""

GATES = {"LSTM": ("ifco", "iofc"), "GRU": ("zrh", "zrh"), "RNN": ("h", "h")}
"""Order of the gates in the weights of Keras and of ONNX, by type of operator."""

DEFAULT_ACTIVATIONS = {
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "RNN": ["Tanh"],
}
"""Default activations of one direction, by type of operator."""

CELLS = {
    "LSTM": (cells.LSTMCell, cells.DiagonalPeepholeLSTMCell, keras.layers.LSTMCell),
    "GRU": (cells.GRUCell, keras.layers.GRUCell),
    "RNN": (cells.SimpleRNNCell, keras.layers.SimpleRNNCell),
}
"""Classes of cells, by the type of operator that computes them."""

PITFALLS = {
    "lengths": "OpenVINO and onnx.reference ignore `sequence_lens` where the graph computes them",
    "peepholes": "OpenVINO computes peepholes wrongly",
    "activations": "onnx.reference ignores `activations`",
}
"""Warnings by property of an operator with which runtimes silently compute wrong results. Observed
with OpenVINO 2026.4.1 and ONNX 1.23."""


class NativeOperator(NamedTuple):
    """Weights and attributes of a recurrent operator of ONNX, for one direction."""

    type: str
    weights: list[np.ndarray]
    """W, R and B in ONNX's notation, and P for peepholes."""
    activations: list[str]
    attributes: dict[str, int]

    def pitfalls(self, has_mask: bool) -> set[str]:
        """Return the keys of `PITFALLS` that apply.

        Args:
            has_mask: Whether the operator runs with a mask.
        """
        return find_pitfalls(self.type, has_mask, len(self.weights) > 3, self.activations)


def native_operator(cell: Any) -> NativeOperator | None:
    """Return the operator that computes a cell, or None if ONNX has none.

    Args:
        cell: Cell of a recurrent layer.
    """
    type_ = next((name for name, classes in CELLS.items() if type(cell) in classes), None)
    names = ["activation"] if type_ == "RNN" else ["recurrent_activation", "activation"]
    if (
        type_ is None
        or not cell.built
        or any(getattr(cell, name) not in ACTIVATIONS for name in names)
    ):
        return None
    activations = [ACTIVATIONS[getattr(cell, name)] for name in names]
    if type_ == "LSTM":
        activations.append(activations[-1])
    keras_order, onnx_order = GATES[type_]

    def reorder(array: np.ndarray) -> np.ndarray:
        """Return blocks of rows in the gate order of ONNX."""
        blocks = dict(zip(keras_order, np.split(array, len(keras_order)), strict=True))
        return np.concatenate([blocks[gate] for gate in onnx_order])

    kernel, recurrent = _array(cell.kernel), _array(cell.recurrent_kernel)
    bias = np.zeros((2, kernel.shape[1]), "float32")
    if cell.use_bias:
        values = _array(cell.bias)
        bias[: 2 if values.ndim == 2 else 1] = values
    biases = np.concatenate([reorder(row) for row in bias])
    weights = [reorder(kernel.T), reorder(recurrent.T), biases]
    if isinstance(cell, cells.DiagonalPeepholeLSTMCell):
        gates = ("input", "output", "forget")
        peepholes = [_array(getattr(cell, f"{gate}_gate_peephole_weights")) for gate in gates]
        weights.append(np.concatenate(peepholes))
    attributes = {"linear_before_reset": int(cell.reset_after)} if type_ == "GRU" else {}
    return NativeOperator(type_, weights, activations, attributes)


def find_pitfalls(
    type_: str, has_lengths: bool, has_peepholes: bool, activations: list[str]
) -> set[str]:
    """Return the keys of `PITFALLS` that apply to a recurrent operator.

    Args:
        type_: Type of the operator.
        has_lengths: Whether the operator reads sequence lengths.
        has_peepholes: Whether the operator has peepholes.
        activations: Names of the activations, for one or both directions.
    """
    defaults = DEFAULT_ACTIVATIONS[type_]
    expected = defaults * (len(activations) // len(defaults))
    applies = {
        "lengths": has_lengths,
        "peepholes": has_peepholes,
        "activations": activations != expected,
    }
    return {name for name, is_true in applies.items() if is_true}


def portability_warnings(operators: Iterable[Operator]) -> set[str]:
    """Return warnings about operators that runtimes other than ONNX Runtime compute wrongly."""
    pitfalls: set[str] = set()
    for operator in operators:
        if operator.type in GATES:
            lengths, peepholes = operator.inputs[4] is not None, len(operator.inputs) > 7
            activations = operator.attributes["activations"]
            pitfalls |= find_pitfalls(operator.type, lengths, peepholes, activations)
    return {
        f"{PITFALLS[name]}: for these runtimes, export with portable=True (--portable)."
        for name in pitfalls
    }


def _array(weight: Any) -> np.ndarray:
    """Return the value of a weight, even if a stateless scope replaces it by a constant."""
    with tf.init_scope(), keras.StatelessScope():
        return keras.ops.convert_to_numpy(weight).astype("float32")

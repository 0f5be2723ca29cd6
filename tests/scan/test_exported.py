"""Scans in SavedModels: equality with the general loop, and the operators in the graph."""

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    BATCH,
    CELLS,
    FEATURES,
    MASK,
    assert_close,
    make,
    normal,
    sequences,
    states,
    to_numpy,
)

from keras_seq import cells, layers, scan
from keras_seq._internal.export_target import exporting_to
from keras_seq.scan import exported
from keras_seq.scan.unrolled import BLOCK_LENGTH

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")

MASKS = {
    "none": None,
    "right-padded": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0] * 5], bool),
    "with holes": MASK,
    "all masked": np.zeros_like(MASK),
}
OPERATORS = ("LSTM", "DiagonalPeepholeLSTM")
"""Layers that become one operator."""
OPERATOR = "BlockLSTMV2"


class LeakyCell(cells.RecurrentCell):
    """Cell whose output is not its first state, and whose states differ in size."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [2, units]

    def build(self, input_shape):
        self.kernel = self.add_kernel(input_shape[-1], self.units)

    def project(self, inputs):
        return keras.ops.matmul(inputs, self.kernel)

    def step(self, projected, states):
        count, h = states
        h = 0.9 * h + 0.1 * self.activate(projected)
        return cells.Step(2 * h, [count + 1, h], {})


def compare(layer, x, mask=None, initial_state=None, atol=1e-6):
    """Compare a layer in a SavedModel with the general loop."""
    initial_state = initial_state and [keras.ops.convert_to_tensor(s) for s in initial_state]
    arguments = {"mask": mask, "initial_state": initial_state}
    with scan.general_only():
        expected = layer(x, **arguments)
    with exporting_to("savedmodel"):
        actual = layer(x, **arguments)
    assert [t.dtype for t in keras.tree.flatten(actual)] == [
        t.dtype for t in keras.tree.flatten(expected)
    ]
    assert_close(to_numpy(keras.tree.flatten(actual)), to_numpy(keras.tree.flatten(expected)), atol)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_equals_the_general_loop_for_every_mask(name, mask):
    for number, options in enumerate(
        (
            {"return_sequences": True},
            {"return_sequences": True, "go_backwards": True},
            {"return_sequences": True, "zero_output_for_mask": True},
            {"go_backwards": True, "zero_output_for_mask": True},
            {},
        )
    ):
        layer = make(name, return_state=True, **options)
        initial = states(layer) if number % 2 else None
        compare(layer, sequences(), MASKS[mask], initial)


@pytest.mark.parametrize("mask", ["none", "with holes"])
def test_a_cell_whose_output_is_not_a_state(mask):
    for backwards in (False, True):
        layer = layers.RNN(
            LeakyCell(4), return_sequences=True, return_state=True, go_backwards=backwards
        )
        compare(layer, sequences(), MASKS[mask], [normal(BATCH, 2), normal(BATCH, 4)])


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_lengths_around_those_of_blocks(name):
    rng = np.random.default_rng(0)
    for timesteps in (1, BLOCK_LENGTH - 1, BLOCK_LENGTH, 2 * BLOCK_LENGTH + 1):
        layer = make(name, return_sequences=True, return_state=True)
        x = sequences(timesteps=timesteps)
        compare(layer, x)
        compare(layer, x, rng.integers(2, size=x.shape[:2]).astype(bool))


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_a_batch_may_be_empty(name):
    layer = make(name, return_sequences=True, return_state=True)
    for mask in (None, np.zeros((0, 5), bool)):
        compare(layer, sequences()[:0], mask)


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["GRU", *OPERATORS])
def test_other_precisions_round_as_the_general_loop(name, dtype):
    layer = make(name, return_sequences=True, return_state=True, dtype=dtype)
    x = sequences(dtype="float64" if dtype == "float64" else "float32")
    compare(layer, x, MASK, atol=0 if "16" in dtype else 1e-14)


def graph_operations(layer, *, mask, x=None):
    """Return the types of the operations of a layer that is traced for a SavedModel."""
    import tensorflow as tf

    x_spec = tf.TensorSpec((None, None, FEATURES), layer.compute_dtype if x is None else x)
    mask_spec = tf.TensorSpec((None, None), tf.bool)

    @tf.function(input_signature=[x_spec, mask_spec], autograph=False)
    def call(x, m):
        return layer(x, mask=m if mask else None)

    with exporting_to("savedmodel"):
        graph = call.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return [node.op for node in nodes]


@pytest.mark.parametrize("name", OPERATORS)
def test_an_lstm_is_one_operator(name):
    for options in ({}, {"go_backwards": True}, {"use_bias": False}, {"unroll": False}):
        for mask in (False, True):
            operations = graph_operations(make(name, **options), mask=mask)
            assert operations.count(OPERATOR) == 1 and "While" not in operations
    both = keras.layers.Bidirectional(make(name, return_sequences=True))
    assert graph_operations(both, mask=True).count(OPERATOR) == 2


def test_large_weights_are_not_copied_into_the_graph(monkeypatch):
    layer = make("LSTM", return_sequences=True)
    (small, large) = [], []
    for sizes, limit in ((small, exported.MAX_CONSTANT_BYTES), (large, 0)):
        monkeypatch.setattr(exported, "MAX_CONSTANT_BYTES", limit)
        compare(layer, sequences(), MASK)
        sizes += graph_operations(layer, mask=False)
    assert large.count("ReadVariableOp") == small.count("ReadVariableOp") + 2


LOOPS = {
    "another activation": lambda: make("LSTM", activation="relu"),
    "another gate activation": lambda: make("LSTM", recurrent_activation="hard_sigmoid"),
    "float64": lambda: make("LSTM", dtype="float64"),
    "float16": lambda: make("LSTM", dtype="mixed_float16"),
    "full peepholes": lambda: make("PeepholeLSTM"),
    "GRU": lambda: make("GRU"),
}


@pytest.mark.parametrize("case", LOOPS)
def test_other_cells_are_loops_with_one_product_per_step(case):
    operations = graph_operations(LOOPS[case](), mask=True)
    assert OPERATOR not in operations
    assert sum(op in ("While", "StatelessWhile") for op in operations) == 1
    # The inputs are multiplied once, and the state once per step.
    assert operations.count("MatMul") == 1 + BLOCK_LENGTH


def test_only_savedmodels_have_the_operator():
    layer = make("LSTM")
    for target in ("graph", "litert"):
        import tensorflow as tf

        @tf.function(autograph=False)
        def call(x):
            return layer(x)

        with exporting_to(target):
            graph = call.get_concrete_function(tf.TensorSpec((2, 3, FEATURES))).graph
        assert OPERATOR not in [op.type for op in graph.get_operations()]

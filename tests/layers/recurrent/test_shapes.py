"""Shapes: unknown and empty batches, broadcast states, nested structures, sparse tensors."""

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    CELLS,
    FEATURES,
    MASK,
    UNITS,
    assert_close,
    make,
    normal,
    run,
    sequences,
    states,
    to_numpy,
)
from keras import ops, tree

from keras_seq import layers
from keras_seq._internal.errors import InputError

on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere shapes are known")


# Batches


@on_tensorflow
@pytest.mark.parametrize("name", ["LSTM", "GRUResetBefore"])
def test_stateful_layer_with_unknown_batch_size(name):
    import tensorflow as tf

    (cls, fixed), whole, x = CELLS[name], make(name), sequences(2, 6)
    layer = cls(UNITS, **fixed, stateful=True)
    layer(x[:, :2])
    layer.set_weights(whole.get_weights())
    layer.reset_state()
    layer(x[:, :2])
    model = keras.Sequential([layer])
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 0.0
    data = tf.data.Dataset.from_tensor_slices((x[:, 2:4], np.zeros((2, UNITS), "float32")))
    model.fit(data.batch(2), verbose=0)
    (actual,) = to_numpy([model.predict(data.map(lambda x, _: x).batch(2), verbose=0)])
    desired = run(whole, np.concatenate([x[:, :4], x[:, 2:4]], axis=1))
    assert_close([actual], desired)


@on_tensorflow
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("length", [5, None])
@pytest.mark.parametrize("name", ["LSTM", "GRUResetBefore"])
def test_known_states_with_unknown_batch_size(name, length, rows):
    import tensorflow as tf

    layer, x = make(name, return_state=True), sequences(2)
    initial = states(layer, rows)
    spec = [tf.TensorSpec((None, length, FEATURES))]
    graph = tf.function(lambda x: layer(x, initial_state=initial), input_signature=spec)
    whole = [np.repeat(state, 2 // rows, axis=0) for state in initial]
    assert_close(to_numpy(list(graph(x))), run(layer, x, initial_state=whole))


@pytest.mark.parametrize("options", [{}, {"unroll": True}, {"checkpoint": True}])
@pytest.mark.parametrize("name", ["DiagonalPeepholeLSTM", "GRUResetBefore"])
def test_state_of_one_row_is_broadcast(name, options):
    layer, x = make(name, return_state=True, **options), sequences()
    one = states(layer, 1)
    every = [np.repeat(state, len(x), axis=0) for state in one]
    assert_close(
        run(layer, x, mask=MASK, initial_state=one), run(layer, x, mask=MASK, initial_state=every)
    )


@pytest.mark.parametrize("name", ["LSTM", "GRUResetBefore"])
def test_empty_batch(name):
    layer = make(name, return_sequences=True, return_state=True)
    for mask in (None, MASK[:0]):
        outputs, *final = run(layer, sequences()[:0], mask=mask)
        assert outputs.shape == (0, 5, UNITS)
        assert {state.shape for state in final} == {(0, UNITS)}


@pytest.mark.parametrize("name", ["LSTM", "GRUResetBefore"])
def test_inputs_without_features(name):
    layer = make(name, features=0, return_state=True)
    zeros = make(name, return_state=True)
    zeros.set_weights([zeros.get_weights()[0], *layer.get_weights()[1:]])
    actual = run(layer, sequences()[..., :0], initial_state=states(layer))
    assert_close(actual, run(zeros, 0 * sequences(), initial_state=states(layer)))


@pytest.mark.parametrize("name", ["LSTM", "GRUResetBefore"])
def test_fixed_batch_size(name):
    layer = make(name, return_sequences=True)
    inputs = keras.Input((None, FEATURES), batch_size=4)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (4, None, UNITS)
    model.compile("sgd", "mse")
    desired = run(layer, sequences())
    assert_close([model.predict(sequences(), batch_size=4, verbose=0)], desired)


@on_tensorflow
def test_ragged_and_sparse_tensors():
    import tensorflow as tf

    ragged = tf.ragged.constant([[[1.0]], [[1.0], [2.0]]], ragged_rank=1)
    with pytest.raises(InputError, match=r"LSTM: .* got a ragged tensor: pad it.*to_tensor"):
        layers.LSTM(UNITS)(ragged)
    with pytest.raises(InputError, match=r"LSTM: .* got a sparse tensor: .*tf.sparse.to_dense"):
        layers.LSTM(UNITS)(tf.sparse.from_dense(sequences()))


# Nested structures, as in Keras's guide "Working with RNNs"


class NestedCell(keras.layers.Layer):
    """A cell with two inputs and two states, each the sum of products with one input."""

    def __init__(self, units=4, shape=(2, 3), **kwargs):
        super().__init__(**kwargs)
        self.units, self.shape = units, shape
        self.state_size = self.output_size = [(units,), shape]

    def build(self, shapes):
        (_, n), (_, *rest) = tree.map_shape_structure(tuple, shapes)
        self.vectors = self.add_weight(shape=(n, self.units))
        self.matrices = self.add_weight(shape=(*rest, *self.shape))

    def call(self, inputs, states):
        vector, matrix = tree.flatten(inputs)
        first = states[0] + ops.matmul(vector, self.vectors)
        second = states[1] + ops.einsum("bij,ijkl->bkl", matrix, self.matrices)
        return (first, 2 * second), (first, second)


class WithInitialState(NestedCell):
    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, self.units)), ops.ones((batch_size, *self.shape))]


class NestedStates(NestedCell):
    """The same with one input."""

    def build(self, shape):
        self.vectors = self.add_weight(shape=(shape[-1], self.units))
        self.matrices = self.add_weight(shape=(shape[-1], *self.shape))

    def call(self, inputs, states):
        first = states[0] + ops.matmul(inputs, self.vectors)
        second = states[1] + ops.einsum("bi,ikl->bkl", inputs, self.matrices)
        return (first, 2 * second), (first, second)


VECTORS, MATRICES = normal(2, 5, 3), normal(2, 5, 2, 2)
SEEN = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)


def sums(layer, mask=None):
    """Return the expected outputs of a layer of one of the cells above."""
    vectors, matrices = layer.cell.get_weights()
    inputs = (VECTORS, MATRICES) if matrices.ndim == 4 else (VECTORS, VECTORS)
    seen = np.ones((2, 5)) if mask is None else mask
    first = np.einsum("bt,bti,iu->btu", seen, inputs[0], vectors)
    second = np.tensordot(inputs[1], matrices, matrices.ndim - 2) * seen[..., None, None]
    start = float(isinstance(layer.cell, WithInitialState))
    return start + first.cumsum(axis=1), 2 * (start + second.cumsum(axis=1))


@pytest.mark.parametrize("cls", [NestedCell, WithInitialState, NestedStates])
def test_nested_outputs(cls):
    layer = layers.RNN(cls())
    x = VECTORS if cls is NestedStates else (VECTORS, MATRICES)
    outputs = run(layer, x)
    assert [output.shape for output in outputs] == [(2, 4), (2, 2, 3)]
    assert_close(outputs, [every[:, -1] for every in sums(layer)])


def test_nested_cell_with_states_and_a_mask():
    layer = layers.RNN(NestedCell(), return_sequences=True, return_state=True)
    inputs = {"vector": VECTORS, "matrix": np.where(SEEN[..., None, None], MATRICES, np.nan)}
    (one, two), *final = to_numpy(layer(list(inputs.values()), mask=ops.convert_to_tensor(SEEN)))
    expected = sums(layer, SEEN)
    assert_close([one[SEEN], two[SEEN]], [every[SEEN] for every in expected])
    assert_close(final, [expected[0][:, -1], expected[1][:, -1] / 2])
    again = to_numpy(layer((VECTORS, MATRICES), initial_state=final))[1:]
    assert_close(again, [a + b[:, -1] / n for a, b, n in zip(final, sums(layer), (1, 2))])


@pytest.mark.slow
def test_training_of_a_nested_cell():
    inputs = keras.Input((None, 3)), keras.Input((None, 2, 2))
    model = keras.Model(inputs, layers.RNN(NestedCell())(inputs))
    assert model.output_shape == [(None, 4), (None, 2, 3)]
    model.compile("sgd", "mse")
    data = (VECTORS, MATRICES), (normal(2, 4), normal(2, 2, 3))
    before = model.evaluate(*data, verbose=0)
    model.fit(*data, epochs=3, verbose=0)
    assert model.evaluate(*data, verbose=0) < before


def test_stateful_nested_cell():
    layer = layers.RNN(NestedCell(), stateful=True)
    (first, second), (third, _) = (to_numpy(layer((VECTORS, MATRICES))) for _ in range(2))
    assert_close([third], [2 * first])
    layer.reset_state()
    assert_close(to_numpy(list(layer((VECTORS, MATRICES)))), [first, second])


class Sum(keras.layers.Layer):
    """A minimal Keras cell: one state size instead of a list, and no `get_initial_state`."""

    state_size = FEATURES

    def call(self, inputs, states):
        return inputs + states[0], [inputs + states[0]]


@pytest.mark.parametrize("size", [FEATURES, [FEATURES], (FEATURES,)])
@pytest.mark.parametrize("stateful", [False, True])
def test_zero_states_of_a_minimal_cell(stateful, size):
    cell = Sum()
    cell.state_size = size
    layer, x = layers.RNN(cell, stateful=stateful), sequences()
    assert_close(run(layer, x), [x.sum(axis=1)])


def test_nested_sequences_of_different_lengths():
    with pytest.raises(InputError, match=r"RNN: all sequences .* \[\(2, 5, 3\), \(2, 4, 2, 2\)\]"):
        layers.RNN(NestedCell())((VECTORS, MATRICES[:, :4]))


class Sums(keras.layers.Layer):
    """A cell with one number as its `state_size`, and no `get_initial_state`."""

    state_size = 3

    def call(self, inputs, states):
        return states[0] + inputs, [states[0] + inputs]


def test_cell_of_one_state_without_initial_state():
    x = sequences(features=3)
    assert_close(run(layers.RNN(Sums()), x), [x.sum(axis=1)])

"""Attention decoder cell against its equations; single steps, sequences and Keras's loop agree."""

import keras
import numpy as np
import pytest
import reference
from helpers import fill, normal, to_numpy
from keras import ops

from keras_seq import cells, layers
from keras_seq._internal.errors import InputError

UNITS, MEMORY, STEPS = 4, 6, 5
# Unmasked, padded, with a hole, and masked as a whole.
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
X, STATES = normal(4, STEPS, 3), [normal(4, UNITS, seed=n) for n in (1, 2)]


M, KEYS = 3 * normal(4, 4, MEMORY, seed=3), 3 * normal(4, 4, UNITS, seed=4)


def make_cell(score="dot", feeding=False, inner=None, units=5):
    """Return a cell with random weights, and its initial states."""
    keras.utils.set_random_seed(1)
    inner = cells.LSTMCell(UNITS) if inner is None else inner
    cell = layers.AttentionDecoderCell(inner, score, units, input_feeding=feeding)
    states = STATES if isinstance(inner, cells.LSTMCell) else None
    start = cell.initial_state(*map(ops.convert_to_tensor, (M, KEYS, MASK)), states)
    cell.build((4, 3))
    return fill(cell), start


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def expected(cell):
    """Return vectors and attention weights of an LSTM by the equations, in float64."""
    of = {w.path.split("/")[-2]: to_numpy(w).astype("float64") for w in cell.weights}
    lstm = [to_numpy(w).astype("float64") for w in cell.cell.weights]
    states, fed = STATES, np.zeros((4, cell.units))
    vectors, weights = np.zeros((4, STEPS, cell.units)), np.zeros((4, STEPS, 4))
    for t in range(STEPS):
        x = np.concatenate([X[:, t], fed], 1) if cell.input_feeding else X[:, t]
        states, _ = reference.LSTM.forward(lstm, x, states)
        for row, (h, m, k) in enumerate(zip(states[0], M, KEYS)):
            scores = k @ h
            if cell.score == "additive":
                scores = np.tanh(h @ of["query"] + k) @ of["attention"]
            unmasked = MASK[row]
            if unmasked.any():
                weights[row, t, unmasked] = softmax(scores[unmasked])
            context = weights[row, t] @ m
            vectors[row, t] = np.tanh(np.concatenate([context, h]) @ of["combine"])
        fed = vectors[:, t]
    return vectors, weights


CASES = [(score, feeding) for score in ("additive", "dot") for feeding in (False, True)]


@pytest.mark.parametrize(("score", "feeding"), CASES)
def test_equals_the_equations(score, feeding):
    cell, start = make_cell(score, feeding)
    vectors, weights = expected(cell)
    at_once = [to_numpy(result) for result in cell.call_sequence(ops.convert_to_tensor(X), start)]
    np.testing.assert_allclose(at_once[0], vectors, atol=1e-5)
    np.testing.assert_allclose(at_once[1], weights, atol=1e-5)
    assert (at_once[1].swapaxes(1, 2)[~MASK] == 0).all()
    by_steps, states = [], start[:-3]
    for t in range(STEPS):
        *actual, states = cell.step(ops.convert_to_tensor(X[:, t]), states, start[-3:])
        by_steps.append([to_numpy(result) for result in actual[1:]])
    for actual, desired in zip(zip(*by_steps), (vectors, weights)):
        np.testing.assert_allclose(np.stack(actual, axis=1), desired, atol=1e-5)


@pytest.mark.parametrize("layer", [keras.layers.RNN, layers.RNN])
@pytest.mark.parametrize("feeding", [False, True])
def test_in_any_recurrent_layer(layer, feeding):
    cell, start = make_cell("additive", feeding)
    actual = layer(cell, return_sequences=True)(X, initial_state=start)
    np.testing.assert_allclose(to_numpy(actual), expected(cell)[0], atol=1e-5)


@pytest.mark.parametrize(
    "inner",
    [
        cells.GRUCell(UNITS),
        keras.layers.SimpleRNNCell(UNITS),
        keras.layers.StackedRNNCells([cells.LSTMCell(3), keras.layers.GRUCell(UNITS)]),
    ],
    ids=["ours", "of Keras", "stacked"],
)
@pytest.mark.parametrize("feeding", [False, True])
def test_takes_any_cell(inner, feeding):
    inner = inner.from_config(inner.get_config())
    cell, start = make_cell("dot", feeding, inner)
    assert cell.units == 5
    vectors, _ = cell.call_sequence(ops.convert_to_tensor(X), start)
    states, memory = start[:-3], start[-3:]
    for t in range(STEPS):
        _, vector, _, states = cell.step(ops.convert_to_tensor(X[:, t]), states, memory)
        np.testing.assert_allclose(to_numpy(vector), to_numpy(vectors)[:, t], atol=1e-5)


def test_several_rows_attend_to_one_memory():
    cell, start = make_cell()
    memory, beams = start[-3:], 3
    x = ops.convert_to_tensor(normal(4 * beams, 3, seed=40))
    states = [ops.convert_to_tensor(normal(4 * beams, UNITS, seed=41 + n)) for n in range(2)]
    together = cell.step(x, states, memory)
    repeated = cell.step(x, states, [ops.repeat(part, beams, axis=0) for part in memory])
    for one, other in zip(keras.tree.flatten(together), keras.tree.flatten(repeated)):
        np.testing.assert_allclose(to_numpy(one), to_numpy(other), atol=1e-6)


@pytest.mark.usefixtures("either_way")
def test_training_and_saving(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    read = keras.layers.Embedding(9, MEMORY)(ids)
    cell = layers.AttentionDecoderCell(cells.GRUCell(UNITS), "additive", input_feeding=True)
    decoder = layers.RNN(cell, return_sequences=True)
    keys = keras.layers.Dense(UNITS, use_bias=False)(read)
    vectors = decoder(read, initial_state=cell.initial_state(read, keys, ops.not_equal(ids, 0)))
    model = keras.Model(ids, keras.layers.Dense(2)(vectors))
    x = np.array([[1, 2, 3, 0], [4, 5, 0, 0]])
    model.compile("adam", "mse")
    before = [to_numpy(w) for w in model.trainable_weights]
    model.fit(x, np.ones((2, 4, 2)), verbose=0)
    assert all((to_numpy(w) != b).any() for w, b in zip(model.trainable_weights, before))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(loaded(x)), to_numpy(model(x)), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: layers.AttentionDecoderCell(cells.GRUCell(4), "dott"),
            "There is no attention score 'dott': did you mean 'dot'",
        ),
        (
            lambda: layers.AttentionDecoderCell(cells.GRUCell(4)).initial_state(X),
            "the keys must have 4 features, got 3",
        ),
        (
            lambda: layers.AttentionDecoderCell(cells.GRUCell(4), memory_units=2).initial_state(X),
            "the memory must have 2 features, got 3",
        ),
        (
            lambda: layers.AttentionDecoderCell(cells.GRUCell(4, dropout=0.1), input_feeding=True),
            "must have no dropout of its own",
        ),
        (
            lambda: layers.RNN(layers.AttentionDecoderCell(cells.GRUCell(4)))(X),
            "give the layer that runs it `initial_state=cell.initial_state",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()

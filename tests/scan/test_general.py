"""Properties of the general loop for every cell, shape and mask; selection of cuDNN."""

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    CELLS,
    MASK,
    THOROUGH,
    assert_close,
    has_gpu,
    make,
    normal,
    run,
    sequences,
    states,
    to_numpy,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops, tree

from keras_seq import cells, layers, scan
from keras_seq._internal.errors import InputError

law = settings(max_examples=15 if THOROUGH else 2)

name = st.sampled_from(sorted(CELLS))
shape = st.tuples(st.integers(1, 3), st.integers(2, 5), st.integers(1, 3))
units = st.integers(1, 3)


def problem(name, shape, units):
    """Return a cell, sequences, initial states and a mask with gaps."""
    layer = make(name, units, shape[-1])
    mask = np.random.default_rng(sum(shape)).integers(2, size=shape[:2]).astype(bool)
    return layer.cell, sequences(*shape), states(layer, shape[0]), mask


def general(cell, x, initial, mask=None, **options):
    """Return outputs and final states of the general loop."""
    mask = None if mask is None else ops.convert_to_tensor(mask)
    last, outputs, final = scan.general_scan(
        cell,
        ops.convert_to_tensor(x),
        [ops.convert_to_tensor(s) for s in initial],
        mask=mask,
        **options,
    )
    last, outputs, *final = to_numpy([last, outputs, *final])
    assert_close([outputs[:, -1]], [last], 0)
    return outputs, final


def assert_same(one, other):
    assert_close(tree.flatten(one), tree.flatten(other))


@law
@given(name, shape, units, st.data())
def test_a_masked_suffix_equals_a_shorter_sequence(name, shape, units, data):
    cell, x, initial, _ = problem(name, shape, units)
    length = data.draw(st.integers(1, x.shape[1]))
    mask = np.arange(x.shape[1]) < np.full((len(x), 1), length)
    outputs, final = general(cell, x, initial, mask)
    cut, cut_final = general(cell, x[:, :length], initial)
    repeated = np.repeat(cut[:, -1:], x.shape[1] - length, axis=1)
    assert_same([outputs, final], [np.concatenate([cut, repeated], axis=1), cut_final])


@law
@given(name, shape, units)
def test_backwards_over_the_reversed_sequence_equals_forward(name, shape, units):
    cell, x, initial, mask = problem(name, shape, units)
    backwards = general(cell, x[:, ::-1], initial, mask[:, ::-1], go_backwards=True)
    assert_same(backwards, general(cell, x, initial, mask))


@law
@given(name, shape, units, st.data())
def test_two_chunks_with_carried_states_equal_one_run(name, shape, units, data):
    cell, x, initial, mask = problem(name, shape, units)
    cut = data.draw(st.integers(1, x.shape[1] - 1))
    # Zeros, since the output that masked steps repeat does not belong to the states.
    options = {"zero_output_for_mask": True}
    first, carried = general(cell, x[:, :cut], initial, mask[:, :cut], **options)
    second, final = general(cell, x[:, cut:], carried, mask[:, cut:], **options)
    whole = general(cell, x, initial, mask, **options)
    assert_same([np.concatenate([first, second], axis=1), final], whole)


@law
@given(name, shape, units)
def test_an_all_true_mask_equals_no_mask(name, shape, units):
    cell, x, initial, mask = problem(name, shape, units)
    assert_same(general(cell, x, initial, np.ones_like(mask)), general(cell, x, initial))


@law
@given(name, shape, units)
def test_inputs_at_masked_steps_are_ignored(name, shape, units):
    cell, x, initial, mask = problem(name, shape, units)
    hidden = np.where(mask[..., None], x, np.nan).astype("float32")
    assert_same(general(cell, hidden, initial, mask), general(cell, x, initial, mask))


@law
@given(name, shape, units, st.booleans())
def test_unrolled_loop_equals_the_loop(name, shape, units, zeros):
    cell, x, initial, mask = problem(name, shape, units)
    options = {"zero_output_for_mask": zeros, "go_backwards": zeros}
    unrolled = general(cell, x, initial, mask, unroll=True, **options)
    assert_same(unrolled, general(cell, x, initial, mask, **options))


class OwnCell(keras.layers.Layer):
    """Custom cell with two states and an output of different sizes."""

    state_size = [3, 2]
    output_size = 5

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.to_state = keras.layers.Dense(3)
        self.to_output = keras.layers.Dense(5)
        self.shapes = []

    def build(self, input_shape):
        self.to_state.build(input_shape)
        self.to_output.build((None, 5))

    def project(self, inputs):
        self.shapes.append(tuple(inputs.shape))
        return self.to_state(inputs)

    def step(self, projected, states):
        long, short = states
        long = 0.5 * long + ops.tanh(projected)
        short = ops.tanh(long[:, :2] - short)
        output = self.to_output(ops.concatenate([long, short], axis=-1))
        return cells.Step(output, [long, short], {"short": short})

    def call(self, inputs, states, training=False):
        step = self.step(self.project(inputs), states)
        return step.output, step.states


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_custom_cell_runs_as_in_keras_but_projects_all_steps_at_once(back, unroll):
    options = {"go_backwards": back, "unroll": unroll, "return_state": True}
    options |= {"return_sequences": True}
    ours, theirs = (cls(OwnCell(), **options) for cls in (layers.RNN, keras.layers.RNN))
    x = sequences()
    run(ours, x), run(theirs, x)
    theirs.set_weights(ours.get_weights())
    initial = [normal(len(x), 3), normal(len(x), 2)]
    ours.cell.shapes.clear()
    for state in (None, initial):
        assert_close(run(ours, x, initial_state=state), run(theirs, x, initial_state=state))
    assert set(ours.cell.shapes) == {x.shape}  # all time steps at once


def test_custom_cell_with_masks():
    layer = layers.RNN(OwnCell(), return_sequences=True, return_state=True)
    x = sequences()
    outputs, *final = run(layer, x, mask=MASK)
    for row, kept in enumerate(MASK[:3]):
        expected, *expected_final = run(layer, x[row : row + 1, kept])
        assert_close([outputs[row : row + 1, kept]], [expected])
        assert_close([state[row : row + 1] for state in final], expected_final)
    assert not np.any(outputs[3])


class PairForStep(cells.SimpleRNNCell):
    def step(self, projected, states):
        return projected, states


class ForgetsTime(cells.SimpleRNNCell):
    def project(self, inputs):
        return super().project(inputs)[:, 0]


class LosesAState(cells.LSTMCell):
    def step(self, projected, states):
        step = super().step(projected, states)
        return step._replace(states=step.states[:1])


BROKEN = {
    PairForStep: r"PairForStep.step must return a `keras_seq.cells.Step` .* got a tuple",
    ForgetsTime: r"ForgetsTime.project must keep batch and time.* got shape \(4, 3\)",
    LosesAState: r"LosesAState.step must return states of the shapes .* got \[\(4, 3\)\]",
}


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("cls", BROKEN)
def test_invalid_cells_raise_errors(cls, mask):
    with pytest.raises(InputError, match=BROKEN[cls]):
        layers.RNN(cls(3))(sequences(), mask=mask)


class StepWithoutTraining(cells.SimpleRNNCell):
    def step(self, projected, states):
        return super().step(projected, states)


@pytest.mark.parametrize("cls", [layers.RNN, keras.layers.RNN])
def test_step_without_training_argument(cls):
    x = sequences()
    layer = cls(StepWithoutTraining(3))
    assert_close(run(layer, x, training=True), run(layer, x))
    dropping = cls(StepWithoutTraining(3, recurrent_dropout=0.5))
    assert np.all(run(dropping, x)[0])
    with pytest.raises(
        InputError, match=r"StepWithoutTraining.step must take `training` and pass states"
    ):
        dropping(x, training=True)


def test_training_leaves_no_state_in_a_cell():
    layer = layers.GRU(8, recurrent_dropout=0.5, dropout=0.5, return_sequences=True)
    x, h = ops.convert_to_tensor(sequences()), [ops.convert_to_tensor(normal(4, 8))]
    layer.build(x.shape)
    projected = layer.cell.project(x[:, 0])
    before = to_numpy(layer.cell.step(projected, h).output)
    trained = to_numpy(layer(x, training=True))
    assert_close([to_numpy(layer.cell.step(projected, h).output)], [before])
    assert_close([to_numpy(layer.cell(x[:, 0], h)[0])], [before])
    assert np.any(to_numpy(layer(x)) != trained)


def test_cell_without_project_and_step_runs_as_in_keras():
    ours, theirs = (cls(keras.layers.GRUCell(4)) for cls in (layers.RNN, keras.layers.RNN))
    x = sequences()
    run(ours, x), run(theirs, x)
    theirs.set_weights(ours.get_weights())
    assert not scan.has_projection(ours.cell)
    assert_close(run(ours, x, mask=MASK), run(theirs, x, mask=MASK))


CUDNN = {
    "LSTM": (cells.LSTMCell, {}, True),
    "GRU": (cells.GRUCell, {}, True),
    "GRU, reset before": (cells.GRUCell, {"reset_after": False}, False),
    "LSTM, recurrent dropout": (cells.LSTMCell, {"recurrent_dropout": 0.5}, False),
    "SimpleRNN": (cells.SimpleRNNCell, {}, False),
    "peepholes": (cells.PeepholeLSTMCell, {}, False),
    "diagonal peepholes": (cells.DiagonalPeepholeLSTMCell, {}, False),
}


@pytest.mark.parametrize("case", CUDNN)
def test_cudnn_applies_only_to_its_equations(case, monkeypatch):
    cls, arguments, applies = CUDNN[case]
    assert has_gpu() or not scan.cudnn_applies(cls(4, **arguments))
    monkeypatch.setattr(keras.src.backend, "cudnn_ok", lambda *args: True, raising=False)
    applies = applies and not (BACKEND == "jax" and cls is cells.GRUCell)
    assert scan.cudnn_applies(cls(4, **arguments)) is applies
    masked = scan.cudnn_applies(cls(4, **arguments), is_masked=True)
    assert masked is (applies and BACKEND == "jax")


@pytest.mark.skipif(BACKEND == "jax", reason="see tests/scan/test_jax_on_a_gpu.py")
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_results_are_the_same_where_cudnn_seems_to_apply(name, sequence, back, monkeypatch):
    """Without a GPU, torch's own kernels run, or Keras raises and the general loop runs."""
    options = {"return_sequences": sequence, "go_backwards": back, "return_state": True}
    layer, x = make(name, **options), sequences()
    initial = states(layer)
    expected = run(layer, x, initial_state=initial)
    monkeypatch.setattr(keras.src.backend, "cudnn_ok", lambda *args: True, raising=False)
    assert_close(run(layer, x, initial_state=initial), expected)

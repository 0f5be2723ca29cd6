"""`RNNStack` against its layers, called one after the other."""

import itertools
import re

import hypothesis
import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    FEATURES,
    MASK,
    THOROUGH,
    assert_close,
    fill,
    gradients,
    normal,
    sequences,
    to_numpy,
)
from hypothesis import strategies as st
from keras import ops, tree
from keras.src.testing import TestCase

import keras_seq
from keras_seq import cells, layers
from keras_seq._internal.errors import InputError

pytestmark = pytest.mark.usefixtures("eagerly")


@keras.saving.register_keras_serializable(package="test_stack")
class LeakyCell(keras.layers.Layer):
    """A minimal Keras cell without `project` and `step`."""

    def __init__(self, units, leak=0.5, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.leak = leak

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, inputs, states):
        state = self.leak * states[0] + ops.tanh(ops.matmul(inputs, self.kernel))
        return state, [state]

    def get_config(self):
        return {**super().get_config(), "units": self.units, "leak": self.leak}


def make_stack(*args, features=FEATURES, **kwargs):
    """Return a built stack with random weights."""
    stack = layers.RNNStack(*args, **kwargs)
    stack.build((4, None, features))
    return fill(stack)


def by_hand(stack, cell, units, inputs):
    """Return a model of the layers of a stack, with its weights, and the weights in its order."""
    x, mask, states = inputs
    layers_, norms, states = [], [], list(states)

    def add(layer, reference, added):
        layer.build((4, None, reference.weights[0].shape[0]))
        layer.set_weights(reference.get_weights())
        added.append(layer)
        return layer

    def normalize(x, index):
        if not stack.norms:
            return x
        return add(keras.layers.LayerNormalization(), stack.norms[index], norms)(x)

    x, finals = normalize(x, 0), []
    for number, size in enumerate(units):
        kept = stack.return_sequences or number < len(units) - 1
        layer = getattr(layers, cell)(size, return_sequences=kept, return_state=True)
        if stack.bidirectional:
            layer = keras.layers.Bidirectional(layer)
        layer = add(layer, stack.recurrent_layers[number], layers_)
        before = [states.pop(0) for _ in stack.state_sizes[number]] if states else None
        y, *after = layer(x, initial_state=before, mask=mask)
        finals += after
        x = normalize(y + x if stack.residual and x.shape == y.shape else y, number + 1)
    model = keras.Model(model_inputs(*inputs), [x, *finals])
    return model, [weight for layer in (*layers_, *norms) for weight in layer.weights]


def model_inputs(x, mask, states):
    """Return the inputs that are not None."""
    return [x, *([] if mask is None else [mask]), *(states or [])]


class Called:
    """A model of sequences, a mask and states with the call signature of a layer."""

    def __init__(self, model):
        self.model = model
        self.trainable_weights = model.trainable_weights
        self.non_trainable_variables = model.non_trainable_variables

    def __call__(self, x, initial_state=None, mask=None):
        return self.model(model_inputs(x, mask, initial_state))

    def stateless_call(self, weights, others, x, initial_state=None, mask=None):
        return self.model.stateless_call(weights, others, model_inputs(x, mask, initial_state))


def check(config):
    """Compare a stack and its layers one after the other, gradients included."""
    bidirectional, units = config["bidirectional"], config["units"]
    widths = [FEATURES] + [size * (1 + bidirectional) for size in units]
    pairs = list(itertools.pairwise(widths))
    pairs = pairs if config["return_sequences"] else pairs[:-1]
    options = {n: config[n] for n in ("bidirectional", "normalization", "return_sequences")}
    stack = make_stack(
        config["cell"],
        units,
        len(units),
        residual=config["residual"] and any(a == b for a, b in pairs),
        return_state=True,
        **options,
    )
    sizes = tree.flatten(stack.state_sizes) if config["with_states"] else []
    inputs = [
        keras.Input((None, FEATURES)),
        keras.Input((None,), dtype="bool") if config["masked"] else None,
        [keras.Input((size,)) for size in sizes],
    ]
    x, mask, before = inputs
    before = tree.pack_sequence_as(stack.state_sizes, before) if before else None
    outputs = tree.flatten(stack(x, initial_state=before, mask=mask))
    ours = Called(keras.Model(model_inputs(*inputs), outputs))
    model, weights = by_hand(stack, config["cell"], units, inputs)
    arguments = (
        sequences(),
        [normal(4, size, seed=n) for n, size in enumerate(sizes)],
        MASK if config["masked"] else None,
    )
    shapes = [(4, *output.shape[1:]) for output in outputs]
    shapes[0] = (4, 5, *shapes[0][2:]) if config["return_sequences"] else shapes[0]
    weighting = [normal(*shape, seed=50 + n) for n, shape in enumerate(shapes)]
    results, actual = gradients(ours, *arguments, weighting)
    expected, desired = gradients(Called(model), *arguments, weighting)
    assert_close(results, expected)
    indices = {id(weight): index for index, weight in enumerate(model.trainable_weights)}
    order = [indices[id(weight)] for weight in weights]
    assert_close(actual, [desired[index] for index in order] + desired[len(order) :])


NAMES = ("cell", "units", "bidirectional", "residual", "normalization")
NAMES += ("return_sequences", "masked", "with_states")


@pytest.mark.parametrize(
    "config",
    [
        ("LSTM", [3, 4], False, True, True, True, True, True),
        ("GRU", [3, 3, 2], True, True, False, False, False, False),
    ],
    ids=["LSTM", "GRU"],
)
def test_stack_equals_its_layers(config):
    check(dict(zip(NAMES, config)))


@pytest.mark.slow
@hypothesis.given(
    st.fixed_dictionaries(
        {
            "cell": st.sampled_from(["SimpleRNN", "GRU", "LSTM", "PeepholeLSTM"]),
            "units": st.lists(st.sampled_from([3, 4]), min_size=1, max_size=3),
            **{name: st.booleans() for name in NAMES[2:]},
        }
    )
)
@hypothesis.settings(max_examples=30 if THOROUGH else 8)
def test_any_stack_equals_its_layers(config):
    check(config)


# Dropout


def test_positions_of_dropout():
    stack = make_stack("GRU", 4, 2, dropout=[0.1, 0.2, 0.3])
    assert [layer.rate for layer in stack.dropouts] == [0.1, 0.2, 0.3]
    stack = make_stack("GRU", 4, 2, dropout=[0.0, 0.0, 1.0])
    x = sequences()
    assert not np.any(to_numpy(stack(x, training=True)))
    assert np.all(to_numpy(stack(x)))
    first = make_stack("GRU", 4, 1, dropout=[1.0, 0.0])
    assert_close([to_numpy(first(x, training=True))], [to_numpy(first(np.zeros_like(x)))])


@pytest.mark.parametrize("variational", [False, True])
def test_variational_dropout_has_one_mask_for_all_time_steps(variational):
    stack = make_stack("GRU", 16, dropout=0.5, variational_dropout=variational)
    dropped = to_numpy(stack(sequences(), training=True)) == 0
    assert np.any(dropped) and not np.all(dropped)
    assert np.all(dropped == dropped[:, :1]) == variational
    last = make_stack("GRU", 16, dropout=0.5, variational_dropout=True, return_sequences=False)
    assert 0 < np.mean(to_numpy(last(sequences(), training=True)) == 0) < 1


def test_recurrent_dropout_reaches_every_cell():
    stack = make_stack("LSTM", 4, 2, bidirectional=True, recurrent_dropout=0.25)
    cells_ = [half.cell for both in stack.recurrent_layers for half in directions(both)]
    assert [cell.recurrent_dropout for cell in cells_] == [0.25] * 4
    x = sequences()
    assert np.any(to_numpy(stack(x, training=True)) != to_numpy(stack(x)))


def directions(layer):
    return layer.forward_layer, layer.backward_layer


# States

KINDS = {
    "LSTM": ("LSTM", {}),
    "GRU": ("GRU", {"normalization": True, "residual": True}),
    "class": (keras.layers.LSTM, {}),
    "cell": (cells.PeepholeLSTMCell, {}),
    "function": (lambda units: LeakyCell(units, leak=0.25), {}),
}


@pytest.mark.parametrize("kind", KINDS if THOROUGH else ["GRU"])
def test_initial_state_continues_the_sequences(kind):
    cell, options = KINDS[kind]
    stack = make_stack(cell, 4, 2, return_state=True, dropout=0.5, **options)
    x = sequences(timesteps=5)
    whole, last = stack(x)
    states, parts = stack.get_initial_state(len(x)), []
    for part in (x[:, :3], x[:, 3:4]):
        outputs, states = stack(part, initial_state=states)
        parts.append(to_numpy(outputs))
    output, states = stack.step(x[:, 4], states)
    parts.append(to_numpy(output)[:, None])
    assert_close([np.concatenate(parts, axis=1)], [to_numpy(whole)])
    assert_close(tree.flatten(to_numpy(states)), tree.flatten(to_numpy(last)))
    assert stack.state_sizes == [[len(s[0]) for s in layer] for layer in to_numpy(states)]


@pytest.mark.parametrize("kind", KINDS if THOROUGH else ["GRU"])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_advance_without_return_state(kind, return_sequences):
    cell, options = KINDS[kind]
    stack = make_stack(cell, 4, 3, return_sequences=return_sequences, dropout=0.5, **options)
    x, states = sequences(timesteps=5), stack.get_initial_state(4)
    first, states = stack.advance(x[:, :3], states)
    second, states = stack.advance(x[:, 3:], states)
    parts = np.concatenate([to_numpy(first), to_numpy(second)], axis=1)
    assert_close([parts if return_sequences else to_numpy(second)], [to_numpy(stack(x))])
    desired = stack.get_initial_state(4)
    for time in range(5):
        _, desired = stack.step(x[:, time], desired)
    assert_close(tree.flatten(to_numpy(states)), tree.flatten(to_numpy(desired)))


def test_step_equals_a_stack_without_sequences():
    stack = make_stack("GRU", 3, 2, residual=True, return_sequences=False, return_state=True)
    x = sequences(timesteps=1)
    output, states = stack(x)
    actual = stack.step(x[:, 0], stack.get_initial_state(4))
    assert_close(tree.flatten(to_numpy(actual)), tree.flatten(to_numpy((output, states))))


def test_stateful_stack_continues_until_reset():
    options = {"stateful": True}
    stack = layers.RNNStack("GRU", 4, 2, layer_options=options)
    x = sequences(timesteps=4)
    stack.build((4, None, FEATURES))
    fill(stack)
    expected = [to_numpy(stack(x[:, :2])), to_numpy(stack(x[:, 2:]))]
    stack.reset_state()
    assert_close([to_numpy(stack(x[:, :2])), to_numpy(stack(x[:, 2:]))], expected)
    whole = make_stack("GRU", 4, 2)
    assert_close([np.concatenate(expected, axis=1)], [to_numpy(whole(x))])


# Masks


def test_mask_of_the_previous_layer_is_used_and_passed_on():
    x = np.where(MASK[..., None], sequences(), 0).astype("float32")
    stack = make_stack("GRU", 4, 2, return_state=True)
    masked = keras.layers.Masking()(x)
    states = [[normal(4, 4)], [normal(4, 4, seed=1)]]
    for initial in (None, states):
        outputs, _ = stack(masked, initial_state=initial)
        assert_close([to_numpy(outputs)], [to_numpy(stack(x, initial, mask=MASK)[0])])
        if BACKEND != "jax" or initial is None:
            np.testing.assert_array_equal(to_numpy(outputs._keras_mask), MASK)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_go_backwards_reverses_the_mask(num_layers):
    stack = make_stack("GRU", 4, num_layers, layer_options={"go_backwards": True})
    x = sequences()
    mask = ops.convert_to_tensor(MASK)
    expected, expected_mask = ops.convert_to_tensor(x), mask
    for layer in stack.recurrent_layers:
        expected = layer(expected, mask=expected_mask)
        expected_mask = ops.flip(expected_mask, axis=1)
    assert_close([to_numpy(stack(x, mask=MASK))], [to_numpy(expected)])
    np.testing.assert_array_equal(stack.compute_mask(x, mask), expected_mask)


# Precision, configuration, files


def test_mixed_precision_reaches_every_layer():
    stack = make_stack(
        "LSTM", 3, 2, residual=True, normalization=True, return_state=True, dtype="mixed_bfloat16"
    )
    x = sequences()
    outputs, states = stack(x)
    stepped = stack.step(x[:, 0], stack.get_initial_state(4))
    dtypes = {keras.backend.standardize_dtype(t.dtype) for t in tree.flatten((outputs, states))}
    dtypes |= {keras.backend.standardize_dtype(t.dtype) for t in tree.flatten(stepped)}
    assert dtypes == {"bfloat16"}
    assert {weight.dtype for weight in stack.weights} == {"float32"}
    exact = make_stack("LSTM", 3, 2, residual=True, normalization=True)
    assert_close([to_numpy(ops.cast(outputs, "float32"))], [to_numpy(exact(x))], tolerance=0.05)


SAVED = {
    "name": ("GRU", {"reset_after": False, "kernel_initializer": keras.initializers.Ones()}),
    "our class": (layers.GRU, {"reset_after": False}),
    "class": (keras.layers.LSTM, {"unit_forget_bias": False}),
    "cell": (cells.PeepholeLSTMCell, {"use_bias": False, "zero_output_for_mask": True}),
    "registered cell": (LeakyCell, {"leak": 0.25}),
    "function": (lambda units: LeakyCell(units, leak=0.25), {}),
}


def unbuilt(config):
    """Return a configuration without build shapes."""
    if isinstance(config, list):
        return [unbuilt(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {name: unbuilt(value) for name, value in config.items() if name != "build_config"}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", SAVED if THOROUGH else ["function"])
def test_saved_stack_computes_the_same(kind, bidirectional, tmp_path):
    cell, options = SAVED[kind]
    inputs = keras.Input((None, FEATURES))
    stack = layers.RNNStack(
        cell, [4, 3], 2, bidirectional, dropout=[0.1, 0.0, 0.2], layer_options=options
    )
    model = keras.Model(inputs, stack(inputs))
    fill(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close([to_numpy(loaded(sequences()))], [to_numpy(model(sequences()))])
    [_, again] = loaded.layers
    assert unbuilt(again.get_config()) == unbuilt(stack.get_config())
    kinds = [type(directions(r)[0] if bidirectional else r) for r in again.recurrent_layers]
    assert kinds == [type(directions(r)[0] if bidirectional else r) for r in stack.recurrent_layers]


CONFORMANCE = {
    "plain": ({"units": 3}, (3, 2, 3), 3),
    "all": (
        {
            "units": [4, 4],
            "num_layers": 2,
            "dropout": 0.5,
            "residual": True,
            "normalization": True,
            "variational_dropout": True,
        },
        (3, 2, 4),
        12,
    ),
    "bidirectional": ({"units": 3, "bidirectional": True, "return_sequences": False}, (3, 6), 6),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*shuffle=True")
@pytest.mark.parametrize("kind", CONFORMANCE)
def test_keras_layer_test(kind):
    arguments, shape, weights = CONFORMANCE[kind]
    case = TestCase()
    case.setUp()
    case.run_layer_test(
        layers.RNNStack,
        init_kwargs={"cell": "GRU", **arguments},
        input_shape=(3, 2, 4),
        expected_output_shape=shape,
        expected_num_trainable_weights=weights,
        expected_num_non_trainable_weights=0,
        supports_masking=True,
    )
    case.doCleanups()


# Other


def test_tracing():
    inputs = keras.Input((None, FEATURES))
    stack = layers.RNNStack("LSTM", 4, 2, name="stack")
    model = keras.Model(inputs, stack(inputs))
    traces = keras_seq.trace(model, sequences())
    assert {"stack/recurrent_0", "stack/recurrent_1"} <= set(traces)


def test_layer_options_reach_layer_and_cell():
    options = {"checkpoint": True, "reset_after": False}
    stack = make_stack("GRU", 4, layer_options=options)
    [layer] = stack.recurrent_layers
    assert layer.checkpoint and not layer.cell.reset_after
    stack = make_stack(cells.GRUCell, 4, layer_options=options)
    [layer] = stack.recurrent_layers
    assert type(layer) is layers.RNN and layer.checkpoint and not layer.cell.reset_after


def test_output_size():
    assert layers.RNNStack("GRU", [4, 5], 2, bidirectional=True).output_size == 10
    assert layers.RNNStack(LeakyCell, 3, return_state=True).output_size == 3


MISTAKES = {
    "name": ({"cell": "LSTN"}, "no recurrent layer 'LSTN': did you mean 'LSTM'"),
    "a cell": ({"cell": cells.GRUCell(3)}, "each layer needs a cell of its own"),
    "number": ({"cell": 3}, "`cell` must be the name of a layer"),
    "no layers": ({"num_layers": 0}, "`num_layers` must be an integer of at least 1, got 0"),
    "units": ({"units": [3, 4]}, "`units` must be a number or a list of length 1, got [3, 4]"),
    "dropout": ({"dropout": [0.1]}, "`dropout` must be a number or a list of length 2, got [0.1]"),
    "rate": ({"dropout": [0.1, 2]}, "`dropout` must be a number from 0 to 1, got 2"),
    "function": (
        {"cell": lambda units: cells.GRUCell(units, use_bias=False), "recurrent_dropout": 0.1},
        "recurrent_dropout must be set by the function that makes the cell",
    ),
    "backwards": (
        {"bidirectional": True, "layer_options": {"go_backwards": True}},
        "combined with `bidirectional` or `residual`",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_bad_arguments(kind):
    arguments, message = MISTAKES[kind]
    with pytest.raises(InputError, match=re.escape(message)):
        layers.RNNStack(**{"cell": "GRU", "units": 3, **arguments})


def test_bad_calls():
    x = sequences()
    with pytest.raises(InputError, match="needs a layer whose input and output have the same"):
        layers.RNNStack("GRU", 4, residual=True)(x)
    stack = make_stack("LSTM", 4, 2)
    with pytest.raises(InputError, match=re.escape("[2, 2] tensors, got [1, 1]")):
        stack(x, initial_state=[[normal(4, 4)], [normal(4, 4)]])
    both = make_stack("LSTM", 4, bidirectional=True)
    with pytest.raises(InputError, match="need bidirectional=False"):
        both.step(x[:, 0], both.get_initial_state(4))
    with pytest.raises(InputError, match="need bidirectional=False"):
        both.advance(x, both.get_initial_state(4))

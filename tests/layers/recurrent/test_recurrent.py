"""Recurrent layers beyond their equations: dropout, states, precision, shapes, bad input."""

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    CELLS,
    FEATURES,
    MASK,
    SOME,
    UNITS,
    assert_close,
    has_gpu,
    make,
    normal,
    run,
    sequences,
    states,
    to_numpy,
)

from keras_seq import cells, layers
from keras_seq._internal.errors import InputError

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.mark.parametrize("name", CELLS)
def test_cell_arguments_are_attributes_of_the_layer(name):
    layer = make(name)
    assert {p.name: getattr(layer, p.name) for p in layer.cell_arguments} == {
        p.name: getattr(layer.cell, p.name) for p in layer.cell_arguments
    }
    assert (layer.units, layer.seed) == (UNITS, None)


@pytest.mark.parametrize("name", SOME)
def test_unknown_timesteps_and_batch(name):
    layer = make(name, features=5, return_sequences=True)
    inputs = keras.Input((None, 5))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, UNITS)
    for batch, timesteps in [(2, 3), (1, 6)]:
        x = sequences(batch, timesteps, 5)
        assert_close([model.predict(x, verbose=0)], run(layer, x))


@pytest.mark.parametrize("name", SOME)
def test_stateful_batches_equal_one_long_batch(name):
    whole, x = make(name, return_sequences=True), sequences(timesteps=6)
    layer = make(name, return_sequences=True, stateful=True)
    (expected,) = run(whole, x)
    for _ in range(2):
        parts = [run(layer, part)[0] for part in np.split(x, 3, axis=1)]
        assert_close([np.concatenate(parts, axis=1)], [expected])
        layer.reset_state()


@pytest.mark.parametrize("name", SOME)
def test_bidirectional(name):
    cls, fixed = CELLS[name]
    both = keras.layers.Bidirectional(cls(UNITS, return_sequences=True, **fixed))
    x = sequences()
    (result,) = run(both, x, mask=MASK)
    forward, backward = both.forward_layer, both.backward_layer
    assert (forward.go_backwards, backward.go_backwards) == (False, True)
    (one,), (other,) = run(forward, x, mask=MASK), run(backward, x, mask=MASK)
    assert_close([result], [np.concatenate([one, other[:, ::-1]], axis=-1)])
    assert not np.any(result[~MASK])


@pytest.mark.parametrize("name", SOME)
def test_stacked_cells(name):
    first = make(name, return_sequences=True)
    second = make(name, units=2, features=UNITS, return_sequences=True)
    stack = layers.RNN([first.cell, second.cell], return_sequences=True)
    x = sequences()
    kept = run(first, x, mask=MASK)
    assert_close(run(stack, x, mask=MASK)[0][MASK], run(second, *kept, mask=MASK)[0][MASK])


@pytest.mark.parametrize("unroll", [False, True])
def test_unroll(unroll, monkeypatch):
    """Unrolled, there is one call of `step` per time step; loops trace one more, on JAX one."""
    layer, steps = make("GRU", unroll=unroll), []
    step = layer.cell.step
    monkeypatch.setattr(layer.cell, "step", lambda *args: steps.append(args) or step(*args))
    x = sequences()
    run(layer, x)
    assert (len(steps) == x.shape[1]) is unroll


def test_mask_of_the_previous_layer_is_used():
    layer = make("LSTM", return_sequences=True)
    x = np.where(MASK[..., None], sequences(), 0).astype("float32")
    masked = keras.layers.Masking()(x)
    assert_close(run(layer, masked), run(layer, x, mask=MASK))


@pytest.mark.parametrize("name", SOME)
def test_activity_regularizer_adds_its_loss(name):
    layer = make(name, activity_regularizer="l2")
    (output,) = run(layer, sequences())
    (loss,) = to_numpy(layer.losses)
    assert loss == pytest.approx(0.01 * np.square(output).sum() / len(output))


@pytest.mark.parametrize("name", SOME)
def test_bfloat16_is_close_to_float32(name):
    x = sequences()
    expected = run(make(name, return_sequences=True, return_state=True), x, mask=MASK)
    layer = make(name, return_sequences=True, return_state=True, dtype="mixed_bfloat16")
    result = layer(x, mask=MASK)
    assert {keras.backend.standardize_dtype(r.dtype) for r in result} == {"bfloat16"}
    assert {w.dtype for w in layer.weights} == {"float32"}
    result = [to_numpy(keras.ops.cast(r, "float32")) for r in result]
    assert_close(result, expected, tolerance=0.02)


# Dropout


def diagonal(units=64, **options):
    """Return a linear SimpleRNN with an identity kernel: its outputs show the dropout mask."""
    layer = layers.SimpleRNN(
        units,
        activation=None,
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        return_sequences=True,
        **options,
    )
    layer.build((None, None, units))
    return layer


def test_input_dropout_has_one_mask_for_all_time_steps():
    (outputs,) = run(diagonal(dropout=0.25, seed=0), np.ones((64, 3, 64)), training=True)
    assert set(np.unique(outputs)) == {0, np.float32(1 / 0.75)}
    assert (outputs == outputs[:, :1]).all()
    assert outputs.mean() == pytest.approx(1, abs=0.03)


def test_recurrent_dropout_has_one_mask_for_all_time_steps():
    layer = diagonal(recurrent_dropout=0.5, seed=0)
    layer.set_weights([np.zeros((64, 64)), np.eye(64), np.zeros(64)])
    x, ones = np.zeros((64, 3, 64)), [np.ones((64, 64), "float32")]
    (outputs,) = run(layer, x, initial_state=ones, training=True)
    assert set(np.unique(outputs[:, 0])) == {0, 2}
    assert (outputs == outputs[:, :1] ** np.arange(1, 4)[:, None]).all()  # h, h ** 2, h ** 3
    assert outputs[:, 0].mean() == pytest.approx(1, abs=0.06)
    assert_close(run(layer, x, initial_state=ones), [np.ones_like(outputs)])


DROPOUTS = {"input": {"dropout": 0.5}, "recurrent": {"recurrent_dropout": 0.5}}


@pytest.mark.parametrize("kind", DROPOUTS)
@pytest.mark.parametrize("name", SOME)
def test_dropout_is_off_at_inference_and_follows_its_seed_in_training(name, kind):
    x, initial = sequences(), states(make(name))

    def train(layer):
        return run(layer, x, initial_state=initial, training=True)[0]

    layer, same = (make(name, seed=1, **DROPOUTS[kind]) for _ in range(2))
    first, second = train(layer), train(layer)
    assert np.abs(first - second).max() > 1e-3  # a new mask for every batch
    assert_close([train(same), train(same)], [first, second])
    assert_close(run(layer, x, initial_state=initial), run(make(name), x, initial_state=initial))
    assert np.abs(train(make(name, seed=2, **DROPOUTS[kind])) - first).max() > 1e-3


@pytest.mark.parametrize("name", SOME)
def test_dropping_everything_equals_zero_inputs(name):
    x, initial = sequences(), states(make(name))
    dropped = run(make(name, dropout=1.0), x, initial_state=initial, training=True)
    assert_close(dropped, run(make(name), 0 * x, initial_state=initial))


@pytest.mark.parametrize("name", SOME)
def test_mean_over_dropout_masks(name):
    x = np.repeat(sequences(batch=1, timesteps=3), 4000, axis=0)
    (outputs,) = run(make(name, dropout=0.1, recurrent_dropout=0.1, seed=0), x, training=True)
    (expected,) = run(make(name), x[:1])
    assert np.abs(outputs.mean(axis=0) - expected[0]).max() < 0.03
    assert outputs.std(axis=0).min() > 0.003


@pytest.mark.parametrize("name", SOME)
def test_dropout_in_keras_rnn(name):
    options = {"dropout": 0.5, "recurrent_dropout": 0.5, "seed": 5}
    ours, same = make(name, **options), make(name, **options)
    theirs = keras.layers.RNN(same.cell)
    x = sequences()
    assert_close(run(ours, x, training=True), run(theirs, x, training=True))


# Bad input

X = normal(2, 5, FEATURES)

BAD_CALLS = {
    "two axes": ((X[:, 0],), {}, "sequences", "(2, 3)"),
    "four axes": ((X[None],), {}, "sequences", "(1, 2, 5, 3)"),
    "another number of features": ((X[..., :2],), {}, "sequences", "(2, 5, 2)"),
    "words": ((X.astype(str),), {}, "sequences", "str"),
    "no time step": ((X[:, :0],), {}, "sequences", "(2, 0, 3)"),
    "a short mask": ((X,), {"mask": MASK[:2, :4]}, "mask", "(2, 4)"),
    "a mask of another batch": ((X,), {"mask": MASK[:3]}, "mask", "(3, 5)"),
    "a flat mask": ((X,), {"mask": MASK[0]}, "mask", "(5,)"),
    "a deep mask": ((X,), {"mask": MASK[:2, :, None]}, "mask", "(2, 5, 1)"),
    "a state of another size": (
        (X,),
        {"initial_state": [normal(2, UNITS + 1)] * 2},
        "initial_state",
        f"(2, {UNITS + 1})",
    ),
    "a state of another batch": (
        (X,),
        {"initial_state": [normal(3, UNITS)] * 2},
        "initial_state",
        f"(3, {UNITS})",
    ),
    "too many states": (
        (X,),
        {"initial_state": [normal(2, UNITS)] * 3},
        "initial_state",
        str([(2, UNITS)] * 3),
    ),
}


@pytest.mark.parametrize("case", BAD_CALLS)
@pytest.mark.parametrize("name", ["LSTM", "DiagonalPeepholeLSTM"])
def test_bad_calls(name, case):
    args, kwargs, what, value = BAD_CALLS[case]
    layer = make(name)
    with pytest.raises(InputError) as error:
        layer(*args, **kwargs)
    assert name in str(error.value)
    assert what in str(error.value)
    assert value in str(error.value)


def test_layer_works_after_bad_calls():
    layer = make("LSTM")
    for args, kwargs, *_ in BAD_CALLS.values():
        with pytest.raises(InputError):
            layer(*args, **kwargs)
    assert_close(run(layer, X), run(make("LSTM"), X))


@pytest.mark.parametrize("shape", [(2, 3), (2, 5, 3, 3)])
def test_wrong_rank(shape):
    with pytest.raises(InputError, match=rf"RNN: sequences .*\({shape[0]}, {shape[1]}"):
        layers.RNN(cells.GRUCell(UNITS))(normal(*shape))


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU"])
def test_too_many_states(name):
    with pytest.raises(InputError, match=f"{name}: initial_state must be 1 tensor"):
        make(name)(X, initial_state=[normal(2, UNITS)] * 2)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere lengths are always known")
def test_unroll_needs_a_known_length():
    import tensorflow as tf

    layer = make("GRU", unroll=True)
    spec = tf.TensorSpec([2, None, FEATURES])
    with pytest.raises(InputError, match=r"GRU: `unroll` needs .*\(2, None, 3\)"):
        tf.function(lambda x: layer(x), autograph=False).get_concrete_function(spec)


BAD_ARGUMENTS = {
    "units": ({"units": 0}, "`units`", "0"),
    "activation": ({"activation": "tahn"}, "'tahn'", "'tanh'"),
    "dropout": ({"dropout": 2}, "`dropout`", "2"),
    "use_cudnn": ({"use_cudnn": "yes"}, "`use_cudnn`", "'yes'"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments(case):
    arguments, name, value = BAD_ARGUMENTS[case]
    with pytest.raises(InputError) as error:
        layers.LSTM(**{"units": UNITS, **arguments})
    assert name in str(error.value)
    assert value in str(error.value)


@pytest.mark.parametrize("name", CELLS)
def test_too_many_positional_arguments(name):
    cls, _ = CELLS[name]
    by_position = [p.default for p in cls.cell_arguments if p.kind is p.POSITIONAL_OR_KEYWORD]
    cls(UNITS, *by_position[1:])
    with pytest.raises(TypeError):
        cls(UNITS, *by_position[1:], "one more")


def test_duplicate_argument():
    with pytest.raises(TypeError):
        layers.LSTM(UNITS, units=UNITS + 1)


def test_unknown_argument():
    with pytest.raises((TypeError, ValueError), match="unitz"):
        layers.LSTM(UNITS, unitz=3)


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs Keras's cuDNN calls without a GPU")
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_cudnn_without_a_gpu(name):
    if has_gpu():
        pytest.skip("there is a GPU")
    layer = make(name, use_cudnn=True)
    with pytest.raises(InputError, match=r"use_cudnn=True, but cuDNN cannot run this .*'auto'"):
        layer(X)
    assert_close(run(make(name, use_cudnn="auto"), X), run(make(name, use_cudnn=False), X))


def test_cell_attribute():
    assert isinstance(layers.LSTM(UNITS).cell, cells.LSTMCell)


def test_the_class_of_a_cell_in_place_of_a_cell():
    with pytest.raises(InputError, match=r"got the class GRUCell: pass .* GRUCell\(64\)"):
        layers.RNN(cells.GRUCell)

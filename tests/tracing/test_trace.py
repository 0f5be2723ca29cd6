"""Traces of all kinds of layers, compared to the reference."""

import random
import tracemalloc

import keras
import numpy as np
import pytest
import reference
from helpers import BACKEND, CELLS, MASK, THOROUGH, UNITS, assert_close, fill, normal, sequences
from keras import ops

import keras_seq
from keras_seq import cells, layers
from keras_seq._internal.errors import InputError
from keras_seq.cells import Step
from keras_seq.scan import general_only

# See tests/cells/test_equations.py.
DTYPE, TOLERANCE = ("float64", 1e-10) if BACKEND == "tensorflow" else ("float32", 1e-6)

KERAS = {
    "SimpleRNN": (keras.layers.SimpleRNN, {}),
    "GRU": (keras.layers.GRU, {}),
    "GRUResetBefore": (keras.layers.GRU, {"reset_after": False}),
    "LSTM": (keras.layers.LSTM, {}),
}


def trace_layers(built, x, masked=True):
    """Return the trace of a model in which all these layers read the same input."""
    inputs = keras.Input((None, x.shape[-1]), dtype=DTYPE)
    read = keras.layers.Masking(dtype=DTYPE)(inputs) if masked else inputs
    for name, layer in built.items():
        layer.name = name
    return keras_seq.trace(fill(keras.Model(inputs, [layer(read) for layer in built.values()])), x)


def masked_inputs():
    """Return sequences that `Masking` masks where `MASK` is False."""
    return np.where(MASK[:, :, None], sequences(dtype=DTYPE), 0)


def both_directions(kinds, **options):
    return {
        (name, backwards): cls(UNITS, **fixed, **options, dtype=DTYPE, go_backwards=backwards)
        for name, (cls, fixed) in kinds.items()
        for backwards in (False, True)
    }


def expected(cell, weights, x, mask=None, backwards=False, zeros=False):
    """Return gates, states and outputs of the reference in the order of the input's time."""
    run = reference.run(cell, weights, x, None, mask, backwards, zeros)
    # The reference returns the last states only, so it runs up to each step.
    states = []
    for t in range(x.shape[1]):
        part = slice(t, None) if backwards else slice(None, t + 1)
        mask_part = None if mask is None else mask[:, part]
        states.append(reference.run(cell, weights, x[:, part], None, mask_part, backwards).states)
    order = slice(None, None, -1) if backwards else slice(None)
    gates = {name: gate[:, order] for name, gate in run.gates.items()}
    return gates, [np.stack(state, axis=1) for state in zip(*states)], run.outputs[:, order]


def assert_equal(layer_trace, gates, states, outputs):
    assert list(layer_trace.gates) == list(gates)
    actual = [*layer_trace.gates.values(), *layer_trace.states.values(), layer_trace.outputs]
    assert_close(actual, [*gates.values(), *states, outputs], TOLERANCE)


@pytest.mark.parametrize("zeros", [False, True] if THOROUGH else [False])
def test_every_cell_equals_the_reference_with_masks_in_both_directions(zeros):
    built = both_directions(CELLS, return_sequences=True, zero_output_for_mask=zeros)
    x = masked_inputs()
    with general_only():
        trace = trace_layers({f"{n}_{b}": layer for (n, b), layer in built.items()}, x)
    assert len(trace) == len(built)
    for (name, backwards), layer in built.items():
        layer_trace = trace[f"{name}_{backwards}"]
        truth = expected(name, layer.get_weights(), x, MASK, backwards, zeros)
        assert_equal(layer_trace, *truth)
        assert layer_trace.go_backwards == backwards and layer_trace.max_abs_error < TOLERANCE
        np.testing.assert_array_equal(layer_trace.mask, MASK)


def test_layers_of_keras_show_the_gates_of_our_equations():
    built = both_directions(KERAS)
    x = masked_inputs()
    trace = trace_layers({f"{n}_{b}": layer for (n, b), layer in built.items()}, x)
    for (name, backwards), layer in built.items():
        layer_trace = trace[f"{name}_{backwards}"]
        gates, states, _ = expected(name, layer.get_weights(), x, MASK, backwards)
        assert_close(layer_trace.gates.values(), gates.values(), TOLERANCE)
        assert_close(layer_trace.states.values(), states, TOLERANCE)
        assert layer_trace.max_abs_error < TOLERANCE


def test_outputs_are_those_of_the_model():
    x = sequences(8, 9)
    inputs = keras.Input((None, 3))
    y = keras.layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(inputs)
    y = last = layers.PeepholeLSTM(4, name="last")(y)
    model = fill(keras.Model(inputs, [keras.layers.Dense(2)(y), last]))
    trace = keras_seq.trace(model, x)
    assert_close(trace.outputs, [ops.convert_to_numpy(y) for y in model(x, training=False)])
    assert_close([trace["last"].outputs[:, -1]], [trace.outputs[1]])
    both = ops.convert_to_numpy(model.get_layer("both")(x))
    halves = [trace[f"both/{half}"].outputs for half in ("forward", "backward")]
    assert_close([np.concatenate(halves, axis=-1)], [both])


def test_a_bidirectional_layer_is_shown_in_the_order_of_the_input():
    both = keras.layers.Bidirectional(layers.LSTM(UNITS, dtype=DTYPE), dtype=DTYPE)
    x = masked_inputs()
    trace = trace_layers({"both": both}, x)
    assert list(trace) == ["both/forward", "both/backward"]
    halves = {"forward": (both.forward_layer, False), "backward": (both.backward_layer, True)}
    for half, (layer, backwards) in halves.items():
        truth = expected("LSTM", layer.get_weights(), x, MASK, backwards)
        assert_equal(trace[f"both/{half}"], *truth)


def test_both_directions_are_seen_where_one_call_could_run_them(monkeypatch):
    """On a GPU, Keras's Bidirectional may not call its two layers."""
    from keras.src import backend

    if not hasattr(backend, "bidirectional_lstm"):
        pytest.skip("this version of Keras never does")

    def fused(*args, **kwargs):
        raise AssertionError("a call of cuDNN")

    monkeypatch.setattr(backend, "bidirectional_lstm", fused)
    both = keras.layers.Bidirectional(keras.layers.LSTM(2), name="both")
    both.build((None, 5, 3))
    assert list(keras_seq.trace(both, sequences())) == ["both/forward", "both/backward"]
    with pytest.raises(AssertionError):
        both(sequences())


class Mine(keras.layers.Layer):
    """Custom cell with `project` and `step`."""

    state_size = UNITS
    constant = 0.0

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], UNITS))

    def project(self, inputs):
        return ops.matmul(inputs, self.kernel)

    def step(self, projected, states):
        keep = ops.sigmoid(projected)
        h = keep * states[0] + self.constant
        return Step(h, [h], {"keep": keep})

    def call(self, inputs, states):
        step = self.step(self.project(inputs), states)
        return step.output, step.states


class Closed(Mine):
    """Custom cell with the interface of Keras, whose state is not in a list."""

    project = step = None

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + states[0])
        return 2 * h, h


class Outer(keras.layers.Layer):
    """Custom layer that contains recurrent layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = [layers.GRU(UNITS, name="gru", return_sequences=True, dtype=DTYPE)]
        self.twice = layers.GRU(UNITS, name="twice", return_sequences=True, dtype=DTYPE)

    def build(self, input_shape):
        self.inner[0].build(input_shape)
        self.twice.build((*input_shape[:-1], UNITS))

    def call(self, x):
        return self.twice(self.twice(self.inner[0](x)))


class Subclassed(keras.Model):
    """Model whose `call` has no argument `training`."""

    def __init__(self):
        super().__init__(name="subclassed")
        self.outer = Outer(name="outer")

    def call(self, x):
        return self.outer(x)


def test_cells_of_all_kinds_wherever_they_stand():
    x, options = sequences(dtype=DTYPE), {"return_sequences": True, "dtype": DTYPE}
    cell = cells.PeepholeLSTMCell(UNITS, dtype=DTYPE)
    stacked = [cells.GRUCell(UNITS, dtype=DTYPE), keras.layers.LSTMCell(UNITS, dtype=DTYPE)]
    stack = keras.layers.StackedRNNCells(stacked, dtype=DTYPE)
    inner = keras.Sequential([layers.RNN(Mine(dtype=DTYPE), **options, name="rnn")])
    trace = trace_layers(
        {
            "ours": keras.layers.RNN(cell, **options),
            "stacked": keras.layers.RNN(stack, **options),
            "inner": inner,
            "mine": keras.layers.RNN(Mine(dtype=DTYPE), **options),
            "closed": keras.layers.RNN(Closed(dtype=DTYPE), **options),
            "outer": Outer(dtype=DTYPE),
        },
        x,
        masked=False,
    )
    assert_equal(trace["ours"], *expected("PeepholeLSTM", cell.get_weights(), x))
    gates, states, outputs = expected("GRU", stacked[0].get_weights(), x)
    assert_equal(trace["stacked/0"], gates, states, outputs)
    assert_equal(trace["stacked/1"], *expected("LSTM", stacked[1].get_weights(), outputs))
    for name, kernel in (("inner/rnn", inner.get_weights()[0]), ("mine", None)):
        layer_trace = trace[name]
        if kernel is not None:
            assert_close([layer_trace.gates["keep"]], [reference.sigma(x @ kernel)], TOLERANCE)
        h = layer_trace.states["h"]
        assert_close([h[:, 1]], [layer_trace.gates["keep"][:, 1] * h[:, 0]], TOLERANCE)
    closed = trace["closed"]
    assert closed.gates == {} and list(closed.states) == ["h"]
    assert_close([closed.outputs], [2 * closed.states["h"]], TOLERANCE)
    assert {"outer/gru", "outer/twice", "outer/twice#2"} <= set(trace)
    assert not np.array_equal(trace["outer/twice"].outputs, trace["outer/twice#2"].outputs)
    assert (
        len(trace) == 9
        and max(layer_trace.max_abs_error for layer_trace in trace.values()) < TOLERANCE
    )


def test_a_subclassed_model_and_names_of_layers():
    x = sequences(dtype=DTYPE)
    model = Subclassed()
    model(x)
    assert list(keras_seq.trace(model, x)) == ["outer/gru", "outer/twice", "outer/twice#2"]
    assert list(keras_seq.trace(model, x, layers=["outer/gru"])) == ["outer/gru"]
    assert len(keras_seq.trace(model, x, layers=["outer"])) == 3
    layer = layers.LSTM(UNITS, name="alone")
    layer(x)
    assert list(keras_seq.trace(layer, x)) == ["alone"]


def test_a_cell_that_does_more_than_its_step_is_given_away():
    class More(Mine):
        def call(self, inputs, states):
            output, states = super().call(inputs, states)
            return output + 0.25, states

    x = sequences(dtype=DTYPE)
    assert (
        trace_layers({"more": keras.layers.RNN(More(dtype=DTYPE))}, x)["more"].max_abs_error == 0.25
    )


def test_nothing_is_changed():
    """States, weights, seeds and attributes of layers stay the same."""

    class Noisy(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = keras.random.SeedGenerator(0)

        def call(self, x):
            return x + keras.random.normal(ops.shape(x), seed=self.generator)

    inputs = keras.Input((None, 3), batch_size=4)
    y = Noisy()(inputs)
    y = layers.LSTM(4, stateful=True, return_sequences=True, recurrent_dropout=0.5)(y)
    y = keras.layers.Bidirectional(keras.layers.LSTM(4))(y)
    model = keras.Model(inputs, y)
    x = sequences()
    model(x)  # makes the states nonzero
    before = [ops.convert_to_numpy(v) for v in model.variables]
    attributes = [set(vars(layer)) for layer in model._flatten_layers()]
    seeds = random.getstate(), np.random.get_state()[1].tolist()
    trace = keras_seq.trace(model, x)
    trace.gradient_norms(ops.sum)
    with pytest.raises(InputError):
        keras_seq.trace(model, x * np.nan)
    assert [set(vars(layer)) for layer in model._flatten_layers()] == attributes
    assert (random.getstate(), np.random.get_state()[1].tolist()) == seeds
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, ops.convert_to_numpy(b))
    assert_close([trace.outputs], [ops.convert_to_numpy(model(x))])


def test_states_that_are_given_or_kept_are_where_it_starts():
    x, (h, c) = sequences(), (normal(4, UNITS, seed=20), normal(4, UNITS, seed=21))
    inputs = [keras.Input((None, 3)), keras.Input((UNITS,)), keras.Input((UNITS,))]
    model = keras.Model(
        inputs, layers.LSTM(UNITS, name="lstm")(inputs[0], initial_state=inputs[1:])
    )
    layer_trace = keras_seq.trace(model, [x, h, c])["lstm"]
    assert_close(layer_trace.initial_states.values(), [h, c])
    truth = reference.run("LSTM", model.get_weights(), x, [h, c])
    assert_close(layer_trace.gates.values(), truth.gates.values())


def test_attention_and_marginals_join():
    ids = np.array([[3, 4, 5, 0], [6, 7, 0, 0]])
    inputs = keras.Input((None,))
    y = keras.layers.Embedding(9, 4, mask_zero=True)(inputs)
    y = layers.GRU(4, return_sequences=True)(y)
    crf, pool = layers.CRF(3, name="crf"), layers.AttentionPooling(4, name="pool")
    pooled, weights = pool(y, return_attention_scores=True)
    model = keras.Model(inputs, [crf(y), pool(y), pooled, weights])
    trace = keras_seq.trace(model, ids)
    assert list(trace.attention) == ["pool", "pool#2"]
    assert_close([trace.attention["pool"]], [trace.outputs[3]])
    assert_close([trace.outputs[1]], [ops.convert_to_numpy(model(ids)[1])])
    assert_close([trace.attention["pool"].sum(axis=1)], [np.ones(2)])
    assert_close([trace.marginals["crf"]], [ops.convert_to_numpy(crf.marginals(trace.outputs[0]))])


def test_half_precision_is_shown_in_single():
    x = sequences()
    layer = layers.GRU(UNITS, name="gru", dtype="mixed_bfloat16", return_sequences=True)
    layer(x)
    trace = keras_seq.trace(layer, x)
    layer_trace = trace["gru"]
    assert {array.dtype.name for array in layer_trace.gates.values()} == {"float32"}
    alone = ops.convert_to_numpy(ops.cast(layer(x), "float32"))
    assert_close([layer_trace.outputs], [alone], 0.01)
    assert layer_trace.max_abs_error < 0.02
    assert (trace.gradient_norms(lambda y: ops.sum(y))["gru"]["h"] > 0).all()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the same NumPy on all backends")
def test_memory_beside_the_arrays():
    """The peak of NumPy's memory is the arrays and little more than the outputs of a layer."""
    x = sequences(64, 30, 32)
    both = keras.layers.Bidirectional(layers.LSTM(32, return_sequences=True))
    model = keras.Sequential([keras.Input((None, 32)), both, layers.LSTM(32)])
    with general_only():
        keras_seq.trace(model, x)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        nbytes = keras_seq.trace(model, x).nbytes
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    assert nbytes == 3 * 7 * 64 * 30 * 32 * 4
    assert nbytes < peak < 1.5 * nbytes


def small():
    inputs = keras.Input((5, 3), name="x")
    both = keras.layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True), name="both")
    return keras.Model(inputs, layers.GRU(UNITS, name="gru")(both(inputs)), name="small")


def dense():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="dense")


MISTAKES = {
    "no recurrent layer": (dense, sequences()[:, 0], {}, "'dense' has no recurrent layer"),
    "no model": (lambda: "small", sequences(), {}, "takes a built model or layer"),
    "not built": (lambda: keras.Sequential([layers.GRU(2)]), sequences(), {}, "call it first"),
    "an axis less": (
        small,
        sequences()[0],
        {},
        "'small' takes inputs of the shapes {'x': (None, 5",
    ),
    "other features": (small, sequences(features=2), {}, "(None, 5, 3)}, got {'x': (4, 5, 2)}"),
    "another layer": (small, sequences(), {"layers": ["grus"]}, "both/forward, both/backward, gru"),
    "too large": (
        small,
        sequences(),
        {"max_bytes": 5000},
        "would take 6.08e-06 GB, but max_bytes is 5e-06",
    ),
}


@pytest.mark.parametrize("model, x, options, message", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_get_one_sentence(model, x, options, message):
    with pytest.raises(InputError) as error:
        keras_seq.trace(model(), x, **options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_layer_that_is_not_in_the_trace():
    trace = keras_seq.trace(small(), sequences())
    with pytest.raises(InputError, match=r"no layer 'both' in the trace\. It has both/forward"):
        trace["both"]
    assert "both" not in trace and trace.get("both") is None


def test_the_first_nan_is_named():
    """A layer that goes backwards computes the last time step first."""
    x = sequences()
    x[2, 1, 0] = x[1, 3, 0] = np.nan
    model = small()
    with pytest.raises(InputError) as error:
        keras_seq.trace(model, x)
    assert "gate 'input' of the layer 'both/forward', first at sequence 2, time step 1" in str(
        error.value
    )
    assert "NaN there too" in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(InputError, match="'both/backward', first at sequence 1, time step 3"):
        keras_seq.trace(model, x, layers=["both/backward"])
    weight = model.get_layer("gru").cell.recurrent_kernel
    weight.assign(ops.full(weight.shape, np.nan))
    with pytest.raises(
        InputError, match=r"'update' of the layer 'gru', .* time step 0 .* check the weights"
    ):
        keras_seq.trace(model, sequences())


def test_nan_that_is_masked_is_none():
    inputs, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    model = keras.Model([inputs, mask], layers.GRU(UNITS)(inputs, mask=mask))
    x = np.where(MASK[:, :, None], sequences(), np.nan).astype("float32")
    with general_only():
        trace = keras_seq.trace(model, [x, MASK])
    assert np.isfinite(trace.outputs).all()


def test_within_a_compiled_function_there_is_nothing_to_see():
    if BACKEND == "torch":
        pytest.skip("torch compiles nothing here")

    class Compiled(keras.Model):
        def __init__(self):
            super().__init__()
            self.lstm = layers.LSTM(2)

        def call(self, x):
            if BACKEND == "jax":
                import jax

                return jax.jit(lambda x: self.lstm(x))(x)
            import tensorflow as tf

            return tf.function(lambda x: self.lstm(x))(x)

    model = Compiled()
    model.lstm.build((4, 5, 3))
    model.built = True
    with pytest.raises(InputError, match=r"runs lstm\w* inside a compiled"):
        keras_seq.trace(model, sequences())

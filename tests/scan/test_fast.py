"""Fast path of the layers: results, and cases in which it applies."""

import itertools
import logging

import keras
import ml_dtypes
import numpy as np
import pytest
from helpers import (
    BACKEND,
    CELLS,
    MASK,
    THOROUGH,
    UNITS,
    assert_close,
    gradients,
    make,
    normal,
    run,
    slow,
    slow_but,
    states,
)

from keras_seq import cells, layers, scan

FAST = [name for name in CELLS if name != "GRUResetBefore"]
if BACKEND == "torch":
    FAST = ["SimpleRNN", "GRU", "LSTM"]

on_tensorflow = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="only TensorFlow needs programs of its own"
)


def both_ways(function):
    """Return the results of a function by the fast path and by the general loop."""
    fast = function()
    with scan.general_only():
        return fast, function()


EVERY = list(itertools.product(FAST, [False, True], [False, True]))
QUICK = [(name, *way) for name, way in zip(FAST, itertools.product([True, False], repeat=2))]
QUICK += [(FAST[-1], True, False)]


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(("name", "masked", "backwards"), slow_but(QUICK, EVERY))
def test_equals_the_general_loop(name, masked, backwards):
    # The batch cannot be divided by the number of cores, and the length is between buckets.
    length = 33 if masked else 17
    x = normal(9, length, 3, seed=2)
    mask = np.resize(MASK, (9, length)) if masked else None
    layer = make(name, return_sequences=True, return_state=True, go_backwards=backwards)
    initial_state = states(layer, batch=9)
    weighting = [normal(9, length, UNITS, seed=5)] + [normal(9, UNITS, seed=6)] * len(initial_state)
    fast, general = both_ways(lambda: gradients(layer, x, initial_state, mask, weighting))
    for actual, expected in zip(fast, general):
        assert_close(actual, expected, 1e-5)


@pytest.mark.parametrize("name", slow_but(["LSTM"], FAST))
def test_gradient_without_training_reruns_the_forward_pass(name):
    x = normal(3, 4, 3)
    layer = make(name, return_state=True)
    weighting = [normal(3, UNITS, seed=5)] * (1 + len(states(layer)))
    fast, general = both_ways(lambda: gradients(layer, x, None, None, weighting))
    for actual, expected in zip(fast, general):
        assert_close(actual, expected, 1e-5)


@on_tensorflow
@pytest.mark.parametrize("jit", [False, slow(True)])
def test_in_graphs_with_and_without_xla(jit):
    import tensorflow as tf

    layer, x = make("LSTM", return_sequences=True), normal(4, 6, 3)

    def outputs_and_gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * y)
        return [y, *tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)])]

    def compiled():
        return [a.numpy() for a in tf.function(outputs_and_gradients, jit_compile=jit)(x)]

    x = tf.constant(x)
    assert_close(*both_ways(compiled), 1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("wrap", slow_but([True], [False, True]) if THOROUGH else [True])
def test_fit_uses_the_fast_path_and_learns_the_same(wrap, caplog):
    def trained():
        keras.utils.set_random_seed(0)
        layer = layers.GRU(UNITS, dropout=0.2, seed=1)
        model = keras.Sequential(
            [
                keras.Input((None, 3)),
                keras.layers.Masking(),
                keras.layers.Bidirectional(layer) if wrap else layer,
                keras.layers.Dense(1),
            ]
        )
        model.compile("sgd", "mse")
        x = normal(10, 5, 3) * np.resize(MASK, (10, 5))[..., None]
        model.fit(x, x.sum(axis=(1, 2)), batch_size=4, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    with caplog.at_level(logging.DEBUG, logger="keras_seq.scan"):
        fast = trained()
    assert {record.message for record in caplog.records} == {"GRUCell: fast path"}
    with scan.general_only():
        assert_close(fast, trained(), 1e-5)


@on_tensorflow
def test_models_with_it_are_not_compiled_as_a_whole():
    model = keras.Sequential([keras.Input((3, 2)), layers.LSTM(2), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.jit_compile is False


@on_tensorflow
def test_many_lengths_share_few_programs():
    """Unknown lengths are rounded up to a quarter of their octave."""
    import tensorflow as tf

    from keras_seq.scan.compiled import padding_to_bucket

    lengths = np.arange(1, 301)
    reached = lengths + [int(padding_to_bucket(tf.constant(length))) for length in lengths.tolist()]
    assert set(reached[:32]) == {32}
    assert ((lengths <= reached) & (reached <= 1.25 * lengths))[32:].all()
    assert len(set(reached)) <= 1 + 4 * 4


@on_tensorflow
def test_only_the_first_lengths_have_exact_programs(monkeypatch):
    import tensorflow as tf

    from keras_seq.scan import compiled

    widths, original = [], compiled.padding_to_bucket
    monkeypatch.setattr(compiled, "padding_to_bucket", lambda t: widths.append(t) or original(t))
    monkeypatch.setattr(compiled, "MAX_EXACT_LENGTHS", 2)
    compiled._exact_lengths.cache_clear()
    layer = make("SimpleRNN")
    for timesteps in (3, 25, 3, 33, 25):
        x = normal(2, timesteps, 3)
        with scan.general_only():
            expected = run(layer, x)
        assert_close([tf.function(lambda x: layer(x))(x).numpy()], expected, 1e-5)
    assert len(widths) == 1  # only for 33


@pytest.mark.parametrize("mask", [None, np.resize(MASK, (3, 17))])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_padding_to_a_bucket_does_not_change_zeroed_outputs(backwards, sequences, mask):
    options = {"go_backwards": backwards, "return_sequences": sequences}
    layer, x = make("GRU", zero_output_for_mask=True, **options), normal(3, 17, 3)
    assert_close(*both_ways(lambda: run(layer, x, mask=mask)), 1e-5)


@pytest.mark.parametrize("name", slow_but(["GRU"], FAST) if THOROUGH else ["GRU"])
def test_bfloat16_steps_are_computed_in_float32(name):
    """The results are closer to float32 than those of the general loop, which rounds every step."""
    x, units = normal(3, 32, 16), 16
    options = {"return_sequences": True, "return_state": True}
    exact = make(name, units, units, **options)
    layer = make(name, units, units, dtype="mixed_bfloat16", **options)
    for weight in (*exact.weights, *layer.weights):
        weight.assign(0.4 * weight)  # small, so that rounding errors do not grow
    weighting = [normal(3, 32, units, seed=5)] + [normal(3, units, seed=6)] * len(states(layer))

    def actual():
        results = gradients(layer, x, None, None, [w.astype(ml_dtypes.bfloat16) for w in weighting])
        return [np.asarray(a, "float32") for a in itertools.chain(*results)]

    expected = [*itertools.chain(*gradients(exact, x, None, None, weighting))]
    errors = [
        [np.linalg.norm(f - e) / np.linalg.norm(e) for f, e in zip(results, expected)]
        for results in both_ways(actual)
    ]
    assert max(errors[0]) < 0.03
    assert np.median(errors[0]) < np.median(errors[1])


@on_tensorflow
@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("backwards", [True, slow(False)])
def test_unknown_lengths_in_a_graph(backwards):
    import tensorflow as tf

    layer = make("LSTM", return_sequences=True, go_backwards=backwards)
    call = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec([None, None, 3])])
    for batch, timesteps in [(1, 1), (2, 9), (5, 33)]:
        x = normal(batch, timesteps, 3)
        with scan.general_only():
            (expected,) = run(layer, x)
        assert_close([call(x).numpy()], [expected], 1e-5)


@on_tensorflow
def test_unknown_lengths_in_a_compiled_function_of_the_user():
    import tensorflow as tf

    layer = make("GRU", return_sequences=True)
    signature = [tf.TensorSpec([None, None, 3])]
    call = tf.function(lambda x: layer(x), input_signature=signature, jit_compile=True)
    for timesteps in (2, 33):
        x = normal(2, timesteps, 3)
        assert_close([call(x).numpy()], run(layer, x), 1e-5)


UNSUPPORTED = {
    "another cell": (cells.GRUCell(2, reset_after=False), {}, "reset_after"),
    "another activation": (cells.LSTMCell(2, activation="relu"), {}, "not tanh"),
    "another gate": (cells.GRUCell(2, recurrent_activation="relu"), {}, "not sigmoid"),
    "recurrent dropout": (cells.LSTMCell(2, recurrent_dropout=0.5), {"training": True}, "dropout"),
    "half precision": (cells.LSTMCell(2, dtype="mixed_float16"), {}, "float16"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_the_reason_for_the_general_loop_is_logged(case, caplog):
    cell, call, reason = UNSUPPORTED[case]
    with caplog.at_level(logging.DEBUG, logger="keras_seq.scan"):
        layers.RNN(cell, dtype=cell.dtype_policy)(normal(2, 3, 2), **call)
    (record,) = caplog.records
    assert "general loop, since" in record.message and reason in record.message


@on_tensorflow
def test_exported_models_contain_no_xla_programs(tmp_path):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((None, 3)), layers.PeepholeLSTM(4)])
    x = normal(2, 5, 3)
    expected = model.predict(x, verbose=0)
    model.export(tmp_path / "model", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "model")
    assert_close([loaded.serve(x).numpy()], [expected], 1e-5)
    functions = loaded.serve.concrete_functions[0].graph.as_graph_def().library.function
    assert functions and not any(
        "_XlaMustCompile" in f.attr and f.attr["_XlaMustCompile"].b for f in functions
    )

"""Gradient checkpointing: the same numbers in less memory."""

import keras
import numpy as np
import pytest
from derivatives import of_gradients
from helpers import (
    BACKEND,
    MASK,
    SOME,
    UNITS,
    assert_close,
    gradients,
    make,
    normal,
    run,
    slow_but,
    states,
)
from keras import ops

from keras_seq import cells, layers
from keras_seq._internal.errors import InputError

TIMESTEPS = 21  # two chunks of 10 and the rest


# Whether it is masked, whether it runs backwards, and options of the layer.
CASES = [
    (False, False, {"return_sequences": True}),
    (False, True, {}),
    (True, False, {}),
    (True, False, {"return_sequences": True}),
    (True, True, {"return_sequences": True}),
    (True, True, {"return_sequences": True, "zero_output_for_mask": True}),
]
# The cell does not matter, since chunks are independent of the equations.
CELL_CASES = [("GRU", *case) for case in CASES]
CELL_CASES += [(name, *CASES[4]) for name in SOME if name != "GRU"]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("name", "masked", "backwards", "options"), CELL_CASES)
def test_equals_the_layer_without_checkpoint(name, masked, backwards, options):
    x, mask = normal(4, TIMESTEPS, 3), np.repeat(MASK, 5, axis=1)[:, :TIMESTEPS]
    mask = mask if masked else None
    options = options | {"return_state": True, "go_backwards": backwards}
    plain, frugal = (make(name, checkpoint=ck, **options) for ck in (False, True))
    shapes = plain.compute_output_shape(x.shape)
    weighting = [normal(*shape, seed=5) for shape in shapes]
    pairs = [gradients(layer, x, states(plain), mask, weighting) for layer in (plain, frugal)]
    for expected, actual in zip(*pairs):
        assert_close(actual, expected, 1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="JAX traces a chunk only once")
def test_chunks_are_recomputed_for_their_gradient():
    class Counting(cells.SimpleRNNCell):
        lengths = []

        def project(self, inputs):
            self.lengths.append(inputs.shape[1])
            return super().project(inputs)

    layer = layers.RNN(Counting(UNITS), return_state=True, checkpoint=True)
    x = normal(2, TIMESTEPS, 3)
    run(layer, x)
    Counting.lengths.clear()
    run(layer, x)
    assert Counting.lengths == [10, 10, 1]
    gradients(layer, x, None, None, [normal(2, UNITS)] * 2)
    assert Counting.lengths.count(10) >= 6


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere lengths are always known")
@pytest.mark.parametrize("name", slow_but(["LSTM"], ["LSTM", "GRUResetBefore"]))
def test_unknown_lengths_in_a_graph(name):
    import tensorflow as tf

    plain, frugal = (make(name, return_sequences=True, checkpoint=ck) for ck in (False, True))
    call = tf.function(lambda x: frugal(x), input_signature=[tf.TensorSpec([None, None, 3])])
    for batch, timesteps in [(1, 1), (2, 9), (3, 40)]:
        x = normal(batch, timesteps, 3)
        assert_close([call(x).numpy()], run(plain, x), 1e-5)


def test_short_sequences_have_one_chunk():
    x = normal(2, 3, 3)
    assert_close(run(make("GRU", checkpoint=True), x), run(make("GRU"), x), 1e-6)


@pytest.mark.slow
def test_second_derivatives_equal_those_without():
    x, mask = normal(4, 7, 3, dtype="float64"), np.repeat(MASK, 2, axis=1)[:, :7]  # 6 steps and 1
    actual = []
    for checkpoint in (True, False):
        layer = make("GRU", checkpoint=checkpoint)

        def total(x, layer=layer):
            return ops.sum(layer(ops.cast(x, "float32"), mask=mask) ** 3)

        actual.append(of_gradients(total, [x]))
    for (gradient,), (expected,) in zip(*actual):
        assert_close([gradient], [expected], 1e-5)


@pytest.mark.slow
def test_fit_learns_the_same():
    def trained(checkpoint):
        keras.utils.set_random_seed(0)
        layer = layers.LSTM(UNITS, dropout=0.2, seed=1, checkpoint=checkpoint)
        model = keras.Sequential(
            [keras.Input((TIMESTEPS, 3)), keras.layers.Masking(), layer, keras.layers.Dense(1)]
        )
        model.compile("sgd", "mse")
        x = normal(8, TIMESTEPS, 3)
        model.fit(x, x.sum(axis=(1, 2)), batch_size=4, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    assert_close(trained(True), trained(False), 1e-5)


def test_checkpoint_is_in_the_config():
    layer = layers.GRU(3, checkpoint=True)
    assert layers.GRU.from_config(layer.get_config()).checkpoint is True
    assert layers.GRU(3).checkpoint is False


def test_unsupported_options_raise_errors():
    with pytest.raises(InputError, match=r"LSTM: `checkpoint` .* `dropout` instead of"):
        layers.LSTM(3, recurrent_dropout=0.1, checkpoint=True)
    with pytest.raises(InputError, match=r"RNN: `checkpoint` needs a cell .* LSTMCell does not"):
        layers.RNN(keras.layers.LSTMCell(3), checkpoint=True)

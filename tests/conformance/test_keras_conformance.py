"""Every layer passes the check that Keras puts its own layers through.

It covers serialization, weights, losses, symbolic and eager calls, a compiled training step and
mixed precision. It is no public name of Keras, yet no other check says what a layer must do.
"""

import itertools

import pytest
from helpers import slow_but
from keras.src.testing import TestCase

from keras_seq import cells, layers

# Keras's check feeds a generator, and its own `fit` then warns that it cannot shuffle.
pytestmark = pytest.mark.filterwarnings("ignore:.*shuffle=True")

LAYERS = {
    "SimpleRNN": (layers.SimpleRNN, 3),
    "GRU": (layers.GRU, 3),
    "LSTM": (layers.LSTM, 3),
    "PeepholeLSTM": (layers.PeepholeLSTM, 3),
    "DiagonalPeepholeLSTM": (layers.DiagonalPeepholeLSTM, 6),
}

# As Keras's own `test_basics` of its LSTM: arguments, call arguments, output shape, losses.
CASES = {
    "dropout": ({"dropout": 0.5}, {"training": True}, (3, 3), 0),
    "both dropouts": (
        {"dropout": 0.5, "recurrent_dropout": 0.5},
        {"training": True},
        (3, 3),
        0,
    ),
    "regularizers": (
        {
            "return_sequences": True,
            "bias_regularizer": "l1",
            "kernel_regularizer": "l2",
            "recurrent_regularizer": "l2",
        },
        {},
        (3, 2, 3),
        3,
    ),
    "backwards": (
        {"go_backwards": True, "return_sequences": True, "zero_output_for_mask": True},
        {},
        (3, 2, 3),
        0,
    ),
}


@pytest.fixture
def check():
    case = TestCase()
    case.setUp()
    yield case.run_layer_test
    case.doCleanups()


# Every layer and every case once.
QUICK = list(zip(LAYERS, itertools.cycle(CASES)))


@pytest.mark.parametrize(("name", "case"), slow_but(QUICK, list(itertools.product(LAYERS, CASES))))
def test_layer(check, name, case):
    cls, weights = LAYERS[name]
    arguments, call_arguments, shape, losses = CASES[case]
    check(
        cls,
        init_kwargs={"units": 3, **arguments},
        input_shape=(3, 2, 4),
        call_kwargs=call_arguments,
        expected_output_shape=shape,
        expected_num_losses=losses,
        expected_num_trainable_weights=weights,
        expected_num_non_trainable_weights=0,
        supports_masking=True,
    )


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cells.PeepholeLSTMCell(5), marks=pytest.mark.slow),
        [cells.GRUCell(4), cells.LSTMCell(5)],
    ],
)
def test_rnn(check, cell):
    check(
        layers.RNN,
        init_kwargs={"cell": cell},
        input_shape=(3, 2, 4),
        expected_output_shape=(3, 5),
        expected_num_trainable_weights=6 if isinstance(cell, list) else 3,
        expected_num_non_trainable_weights=0,
        supports_masking=True,
    )

"""Recurrent cells: the equations of one time step, without loops over time."""

from keras_seq.cells.base import RecurrentCell, Step
from keras_seq.cells.diagonal_peephole_lstm import DiagonalPeepholeLSTMCell
from keras_seq.cells.gru import GRUCell
from keras_seq.cells.lstm import LSTMCell
from keras_seq.cells.peephole_lstm import PeepholeLSTMCell
from keras_seq.cells.simple_rnn import SimpleRNNCell

__all__ = [
    "DiagonalPeepholeLSTMCell",
    "GRUCell",
    "LSTMCell",
    "PeepholeLSTMCell",
    "RecurrentCell",
    "SimpleRNNCell",
    "Step",
]

"""What users put in a model: the cells of `keras_seq.cells` over whole sequences."""

from keras_seq.layers.recurrent import GRU, LSTM, DiagonalPeepholeLSTM, PeepholeLSTM, SimpleRNN
from keras_seq.layers.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "DiagonalPeepholeLSTM", "PeepholeLSTM", "SimpleRNN"]

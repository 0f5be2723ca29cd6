"""What users put in a model: the cells of `keras_seq.cells` over whole sequences, and a CRF."""

from keras_seq.layers.bigram_embedding import BigramEmbedding
from keras_seq.layers.crf import CRF
from keras_seq.layers.recurrent import GRU, LSTM, DiagonalPeepholeLSTM, PeepholeLSTM, SimpleRNN
from keras_seq.layers.rnn import RNN

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "BigramEmbedding",
    "DiagonalPeepholeLSTM",
    "PeepholeLSTM",
    "SimpleRNN",
]

"""What users put in a model: the cells of `keras_seq.cells` over whole sequences, and a CRF."""

from keras_seq.layers.attention_decoder_cell import AttentionDecoderCell
from keras_seq.layers.attention_pooling import AttentionPooling
from keras_seq.layers.background_noise import BackgroundNoise
from keras_seq.layers.bigram_embedding import BigramEmbedding, Bigrams
from keras_seq.layers.crf import CRF
from keras_seq.layers.kneser_ney import KneserNey
from keras_seq.layers.log_mel import LogMel
from keras_seq.layers.naive_bayes import NaiveBayes, WeightArray
from keras_seq.layers.ngram_embedding import NgramEmbedding
from keras_seq.layers.recall import Recall
from keras_seq.layers.recurrent import GRU, LSTM, DiagonalPeepholeLSTM, PeepholeLSTM, SimpleRNN
from keras_seq.layers.rnn import RNN
from keras_seq.layers.spectral_augmentation import SpectralMasking, SpectralWarping
from keras_seq.layers.time_distributed import FlattenTime, TimeDistributed
from keras_seq.layers.token_dropout import TokenDropout

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "AttentionDecoderCell",
    "AttentionPooling",
    "BackgroundNoise",
    "BigramEmbedding",
    "Bigrams",
    "DiagonalPeepholeLSTM",
    "FlattenTime",
    "KneserNey",
    "LogMel",
    "NaiveBayes",
    "NgramEmbedding",
    "PeepholeLSTM",
    "Recall",
    "SimpleRNN",
    "SpectralMasking",
    "SpectralWarping",
    "TimeDistributed",
    "TokenDropout",
    "WeightArray",
]

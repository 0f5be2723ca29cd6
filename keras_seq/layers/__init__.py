"""Keras layers for sequences: recurrent, attention, CRF, text, audio and video layers."""

from keras_seq.layers.attention.attention_decoder_cell import AttentionDecoderCell
from keras_seq.layers.attention.attention_pooling import AttentionPooling
from keras_seq.layers.attention.decoder import Decoder
from keras_seq.layers.audio.background_noise import BackgroundNoise
from keras_seq.layers.audio.band_convolution import BandConvolution
from keras_seq.layers.audio.front_end import FrontEnd
from keras_seq.layers.audio.log_mel_spectrogram import LogMelSpectrogram
from keras_seq.layers.audio.spectral_augmentation import SpecAugment, VocalTractLengthPerturbation
from keras_seq.layers.audio.telephone_channel import TelephoneChannel
from keras_seq.layers.crf import CRF
from keras_seq.layers.frame_encoders import ApplicationFrameEncoder, SmallFrameEncoder
from keras_seq.layers.masked_conv1d import MaskedConv1D
from keras_seq.layers.pooling import MaxPooling, MiddlePooling
from keras_seq.layers.recurrent.cell_layers import (
    GRU,
    LSTM,
    DiagonalPeepholeLSTM,
    PeepholeLSTM,
    SimpleRNN,
)
from keras_seq.layers.recurrent.rnn import RNN
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.recurrent.time_distributed import FlattenTime, TimeDistributed
from keras_seq.layers.text.bars import BarPositionEmbedding, EarlierBarsEmbedding
from keras_seq.layers.text.bigram_embedding import BigramEmbedding, BigramLookup
from keras_seq.layers.text.causal_ngrams import CausalNgramFeatures
from keras_seq.layers.text.char_encoder import CharEncoder
from keras_seq.layers.text.char_ngrams import CharNgramExpert
from keras_seq.layers.text.experts import LogitMixture, NaiveBayesExpert, WeightArrayExpert
from keras_seq.layers.text.hashed_ngram_embedding import HashedNgramEmbedding
from keras_seq.layers.text.incremental import IncrementalLayer
from keras_seq.layers.text.joint_ngrams import JointNgramModel
from keras_seq.layers.text.kneser_ney import KneserNey
from keras_seq.layers.text.longest_match_embedding import LongestMatchEmbedding
from keras_seq.layers.text.naive_bayes import NaiveBayes, WeightArrayModel
from keras_seq.layers.text.ngram_features import NgramFeatures
from keras_seq.layers.text.scheduled_sampling import ScheduledSampling
from keras_seq.layers.text.template_features import TemplateFeatures
from keras_seq.layers.text.token_embedding import OneHotTokens, TokenEmbedding
from keras_seq.layers.text.word_dropout import WordDropout

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "ApplicationFrameEncoder",
    "AttentionDecoderCell",
    "AttentionPooling",
    "BackgroundNoise",
    "BandConvolution",
    "BarPositionEmbedding",
    "BigramEmbedding",
    "BigramLookup",
    "CausalNgramFeatures",
    "CharEncoder",
    "CharNgramExpert",
    "Decoder",
    "DiagonalPeepholeLSTM",
    "EarlierBarsEmbedding",
    "FlattenTime",
    "FrontEnd",
    "HashedNgramEmbedding",
    "IncrementalLayer",
    "JointNgramModel",
    "KneserNey",
    "LogMelSpectrogram",
    "LogitMixture",
    "LongestMatchEmbedding",
    "MaskedConv1D",
    "MaxPooling",
    "MiddlePooling",
    "NaiveBayes",
    "NaiveBayesExpert",
    "NgramFeatures",
    "OneHotTokens",
    "PeepholeLSTM",
    "RNNStack",
    "ScheduledSampling",
    "SimpleRNN",
    "SmallFrameEncoder",
    "SpecAugment",
    "TelephoneChannel",
    "TemplateFeatures",
    "TimeDistributed",
    "TokenEmbedding",
    "VocalTractLengthPerturbation",
    "WeightArrayExpert",
    "WeightArrayModel",
    "WordDropout",
]

"""Decoding: greedy search, sampling, beam search, and CTC decoding."""

from keras_seq.decoding.autoregressive import greedy, sample
from keras_seq.decoding.beam_search import BeamSearchResult, beam_search
from keras_seq.decoding.ctc_beam_search import ctc_beam_search
from keras_seq.decoding.ctc_decoding import collapse, ctc_decode
from keras_seq.text.lexicon import Lexicon

__all__ = [
    "BeamSearchResult",
    "Lexicon",
    "beam_search",
    "collapse",
    "ctc_beam_search",
    "ctc_decode",
    "greedy",
    "sample",
]

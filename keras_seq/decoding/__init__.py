"""From scores to sequences."""

from keras_seq.decoding.autoregressive import greedy, sample
from keras_seq.decoding.beam_search import beam_search
from keras_seq.decoding.ctc_beam_search import ctc_beam_search
from keras_seq.text.lexicon import Lexicon

__all__ = ["Lexicon", "beam_search", "ctc_beam_search", "greedy", "sample"]

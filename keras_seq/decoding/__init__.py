"""From scores to sequences."""

from keras_seq.decoding.beam_search import beam_search
from keras_seq.decoding.ctc_beam_search import ctc_beam_search
from keras_seq.decoding.lexicon import Lexicon
from keras_seq.decoding.rollout import greedy, sample

__all__ = ["Lexicon", "beam_search", "ctc_beam_search", "greedy", "sample"]

"""From scores to sequences."""

from keras_seq.decoding.rollout import greedy, sample

__all__ = ["greedy", "sample"]

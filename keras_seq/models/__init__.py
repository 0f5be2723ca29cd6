"""The shapes of sequence model, built from the layers."""

from keras_seq.models.sequence_tagger import SequenceTagger

__all__ = ["SequenceTagger"]

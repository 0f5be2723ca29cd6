"""Sequence models: each a `keras.Model` that also accepts raw text, audio or video."""

from keras_seq.models.ctc_recognizer import CTCRecognizer
from keras_seq.models.seq2seq import Seq2Seq
from keras_seq.models.sequence_classifier import SequenceClassifier
from keras_seq.models.sequence_generator import SequenceGenerator
from keras_seq.models.sequence_tagger import AuxiliaryTags, SequenceTagger
from keras_seq.models.video_classifier import VideoClassifier

__all__ = [
    "AuxiliaryTags",
    "CTCRecognizer",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceTagger",
    "VideoClassifier",
]

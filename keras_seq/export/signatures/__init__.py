"""Export adapters, which define the endpoints of each class of models."""

# Each module registers its adapter.
from keras_seq.export.signatures import (
    ctc_recognizer,
    keras_model,
    seq2seq,
    sequence_classifier,
    sequence_generator,
    sequence_tagger,
    video_classifier,
)
from keras_seq.export.signatures.base import Adapter, Endpoint, adapter_for, register

__all__ = [
    "Adapter",
    "Endpoint",
    "adapter_for",
    "ctc_recognizer",
    "keras_model",
    "register",
    "seq2seq",
    "sequence_classifier",
    "sequence_generator",
    "sequence_tagger",
    "video_classifier",
]

"""Checks of the arguments of a `Seq2Seq`."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_seq._internal.errors import InputError
from keras_seq.layers.attention.decoder import Decoder
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.joint_ngrams import JointNgramModel
from keras_seq.text.encoder import TextEncoder


def check_layers(
    source_encoder: TextEncoder,
    target_encoder: TextEncoder,
    features: Sequence[keras.layers.Layer],
    stack: RNNStack,
    decoder: Decoder,
) -> None:
    """Raise an InputError if encoders and layers are incompatible."""
    for side, encoder in (("source", source_encoder), ("target", target_encoder)):
        if encoder.end_id is None:
            raise InputError(f"The {side} encoder of a Seq2Seq needs an end token: set end=True.")
    if not features:
        raise InputError("A Seq2Seq needs at least one feature layer.")
    if not (stack.return_sequences and stack.return_state):
        raise InputError(
            f"The stack {stack.name} must return the outputs of all time steps and its states: set "
            "return_sequences=True and return_state=True."
        )
    if decoder.vocab_size != target_encoder.vocab_size:
        raise InputError(
            f"The decoder has vocab_size={decoder.vocab_size}, but the target encoder has "
            f"{target_encoder.vocab_size} tokens: give its embedding the same encoder."
        )


def check_count_model(
    source_encoder: TextEncoder, target_encoder: TextEncoder, count_model: JointNgramModel
) -> None:
    """Raise an InputError if a count model does not fit the encoders, or has no counts."""
    sizes = {
        "source_vocab_size": source_encoder.vocab_size,
        "target_vocab_size": target_encoder.vocab_size,
        "end_id": target_encoder.end_id,
    }
    for name, expected in sizes.items():
        if (actual := getattr(count_model, name)) != expected:
            raise InputError(f"{count_model.name} must have {name}={expected}, got {actual}.")
    if not count_model.built:
        count_model.build()  # fails without counts

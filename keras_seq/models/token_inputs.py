"""Inputs of models that read tokens: their ids, and their characters if a layer reads these."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.text.code_points import token_code_points
from keras_seq.text.encoder import Text, TextEncoder

MAX_CHARACTERS = 20
"""Number of characters per token that layers read; further ones are ignored."""


def make_inputs(layers: Iterable[keras.layers.Layer]) -> dict[str, keras.KerasTensor]:
    """Return the symbolic inputs of a model.

    They are "tokens", ids `(batch, timesteps)`, and if a layer reads characters "characters", code
    points `(batch, timesteps, MAX_CHARACTERS)`, both int32.

    Args:
        layers: Layers that read an input.
    """
    inputs = {"tokens": keras.Input((None,), dtype="int32", name="tokens")}
    if any(input_name(layer) == "characters" for layer in layers):
        shape = None, MAX_CHARACTERS
        inputs["characters"] = keras.Input(shape, dtype="int32", name="characters")
    return inputs


def apply_layer(layer: keras.layers.Layer, inputs: Mapping[str, Any]) -> Any:
    """Return the output of a layer for the input that it reads.

    Args:
        layer: Layer.
        inputs: Tensors by the names of `make_inputs`.
    """
    return layer(inputs[input_name(layer)])


def input_name(layer: keras.layers.Layer) -> str:
    """Return the name of the input that a layer reads: its attribute `reads`, or "tokens"."""
    return "characters" if getattr(layer, "reads", "tokens") == "characters" else "tokens"


def encode_texts(
    encoder: TextEncoder, texts: Sequence[Text], reads_characters: bool
) -> tuple[dict[str, Array], Array]:
    """Return the inputs of texts as arrays, padded to the longest text, and their lengths.

    Args:
        encoder: Encoder of texts to ids.
        texts: Texts, or lists of their tokens.
        reads_characters: Whether "characters" are among the inputs.

    Raises:
        InputError: If a text has no tokens. The message has its number, counted from 1.
    """
    ids, lengths = encoder.encode_batch(texts)
    for number, length in enumerate(lengths, 1):
        if not length:
            raise InputError(f"Text {number} is empty.")
    inputs = {"tokens": ids}
    if reads_characters:
        spellings = [encoder.spellings(text) for text in texts]
        inputs["characters"] = token_code_points(spellings, MAX_CHARACTERS)
    return inputs, lengths

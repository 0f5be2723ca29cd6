"""Character-level features of tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.recurrent.stack import RNNStack


@keras.saving.register_keras_serializable(package="keras_seq")
class CharEncoder(keras.layers.Layer):
    """Bidirectional recurrent layer over the characters of each token (Lample et al. 2016).

    Characters need no vocabulary: the embedding is looked up by the code point modulo
    `num_buckets`. With the default, all characters below U+0800 have different embeddings. These
    include the Latin, Greek, Cyrillic, Hebrew and Arabic alphabets.

    >>> from keras_seq.layers import CharEncoder
    >>> from keras_seq.text.code_points import token_code_points
    >>> layer = CharEncoder(25)
    >>> tuple(layer(token_code_points([["Ada", "slept"]], max_characters=20)).shape)
    (1, 2, 50)

    Args:
        units: Number of hidden units per direction, and width of the embedding of a character.
        cell: Name of a recurrent layer of `keras_seq.layers`.
        num_buckets: Number of embeddings.

    Call arguments:
        inputs: Code points of the characters of each token, `(batch, timesteps, characters)`, 0
            for padding. The class attribute `reads` tells models to pass characters, not ids.

    Returns:
        `(batch, timesteps, 2 * units)`.

    Raises:
        InputError: If `num_buckets` is not positive, or `cell` is not the name of a layer.
    """

    reads = "characters"

    def __init__(
        self,
        units: PositiveInt,
        cell: str = "LSTM",
        num_buckets: PositiveInt = 2_048,
        **kwargs: Any,
    ) -> None:
        check_arguments(CharEncoder, locals())
        super().__init__(**kwargs)
        self.units, self.cell, self.num_buckets = units, cell, num_buckets
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(num_buckets, units, dtype=policy, name="embedding")
        self.stack = RNNStack(
            cell, units, bidirectional=True, return_sequences=False, dtype=policy, name="stack"
        )

    def build(self, input_shape: Shape) -> None:
        self.embedding.build((None, input_shape[-1]))
        self.stack.build((None, input_shape[-1], self.units))

    def call(self, inputs: Tensor) -> Tensor:
        batch, timesteps, characters = ops.shape(inputs)
        flat = ops.reshape(inputs, (-1, characters))
        vectors = self.embedding(flat % self.num_buckets)
        outputs = self.stack(vectors, mask=ops.not_equal(flat, 0))
        return ops.reshape(outputs, (batch, timesteps, 2 * self.units))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], 2 * self.units)

    def get_config(self) -> Config:
        names = ("units", "cell", "num_buckets")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

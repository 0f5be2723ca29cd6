"""Embeddings of tokens: learned, pretrained or one-hot vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Array, Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.text.encoder import TextEncoder


@keras.saving.register_keras_serializable(package="keras_seq")
class TokenEmbedding(keras.layers.Embedding):
    """Embedding of the tokens of a `TextEncoder`.

    >>> from keras import ops
    >>> from keras_seq.layers import TokenEmbedding
    >>> from keras_seq.text.encoder import TextEncoder
    >>> encoder = TextEncoder(["good", "bad"])
    >>> layer = TokenEmbedding(encoder, 8)
    >>> tuple(layer(encoder.encode_batch(["good", "so bad"]).ids).shape)
    (2, 2, 8)

    Pretrained vectors can be the initial values, or stay fixed:

    >>> layer = TokenEmbedding(encoder, vectors={"good": [1.0], "bad": [-1.0]}, trainable=False)
    >>> ops.convert_to_numpy(layer(encoder.encode_batch(["so bad"]).ids)).tolist()
    [[[0.0], [-1.0]]]

    Args:
        encoder: Encoder that maps tokens to ids.
        output_dim: Width of the vector of a token. Not used if `vectors` are given.
        vectors: Mapping from tokens to vectors of the same width. Tokens without a vector, such as
            `<UNK>`, get zeros. A saved layer keeps the vectors in its weights, not in its
            configuration. Default: learned vectors.
        **kwargs: Further arguments of `keras.layers.Embedding`, such as `trainable`.

    Call arguments:
        inputs: Ids `(batch, timesteps)`.

    Returns:
        `(batch, timesteps, output_dim)`.

    Weights: `embeddings` `(vocab_size, output_dim)`.

    Raises:
        InputError: If `vectors` is empty, or if they have different widths.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        output_dim: PositiveInt = 64,
        vectors: Mapping[str, Sequence[float]] | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(TokenEmbedding, locals())
        if vectors is not None:
            table = vector_table(encoder, vectors)
            output_dim, kwargs["embeddings_initializer"] = table.shape[1], _Table(table)
        super().__init__(encoder.vocab_size, output_dim, **kwargs)
        self.encoder = encoder

    def load_pretrained_vectors(self, vectors: Mapping[str, Sequence[float] | np.ndarray]) -> int:
        """Load pretrained vectors; tokens without one keep their values.

        Args:
            vectors: Mapping from tokens to vectors of `output_dim` numbers.

        Returns:
            Number of tokens that got a vector.

        Raises:
            InputError: If vectors and embedding differ in width.
        """
        values = ops.convert_to_numpy(self.embeddings).copy()
        count = 0
        for id_, token in enumerate(self.encoder.tokens):
            if token not in vectors:
                continue
            if len(vectors[token]) != self.output_dim:
                raise InputError(
                    f"The vectors have {len(vectors[token])} numbers, but the embedding has "
                    f"{self.output_dim}: create it with output_dim={len(vectors[token])}."
                )
            values[id_] = vectors[token]
            count += 1
        self.embeddings.assign(values)
        return count

    def named_weights(self, tokens: AxisNames) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens.

        Args:
            tokens: Tokens in the order of their ids.
        """
        return [NamedWeight(self.embeddings, (tokens, None))]

    def get_config(self) -> Config:
        config = super().get_config()
        del config["input_dim"]
        if isinstance(self.embeddings_initializer, _Table):
            config["embeddings_initializer"] = "zeros"
        return {**config, "encoder": self.encoder.get_config()}

    @classmethod
    def from_config(cls, config: Config) -> TokenEmbedding:
        return cls(**{**config, "encoder": TextEncoder.from_config(config["encoder"])})


class _Table(keras.initializers.Initializer):
    """Initializer with given values."""

    def __init__(self, table: Array) -> None:
        self.table = table

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        return ops.convert_to_tensor(self.table, dtype=dtype)


def vector_table(encoder: TextEncoder, vectors: Mapping[str, Sequence[float]]) -> Array:
    """Return the vectors of all tokens of an encoder, zeros for those that have none.

    Args:
        encoder: Encoder.
        vectors: Mapping from tokens to vectors.

    Returns:
        float32 `(vocab_size, width)`.

    Raises:
        InputError: If there are no vectors, or if they have different widths.
    """
    widths = {len(vector) for vector in vectors.values()}
    if len(widths) != 1:
        raise InputError(
            f"The vectors of tokens must all have the same width, got {sorted(widths)}."
        )
    zeros = [0.0] * widths.pop()
    return np.array([vectors.get(token, zeros) for token in encoder.tokens], "float32")


@keras.saving.register_keras_serializable(package="keras_seq")
class OneHotTokens(keras.layers.Layer):
    """One-hot encoding of tokens, in place of an embedding.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import OneHotTokens
    >>> ops.convert_to_numpy(OneHotTokens(3)(np.array([[2, 0]]))).tolist()
    [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]

    Args:
        vocab_size: Number of ids, `TextEncoder.vocab_size`.

    Call arguments:
        inputs: Ids `(batch, timesteps)`.

    Returns:
        `(batch, timesteps, vocab_size)`.
    """

    def __init__(self, vocab_size: PositiveInt, **kwargs: Any) -> None:
        check_arguments(OneHotTokens, locals())
        super().__init__(**kwargs)
        self.vocab_size = vocab_size

    def call(self, inputs: Tensor) -> Tensor:
        return ops.one_hot(inputs, self.vocab_size, dtype=self.compute_dtype)

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor((*inputs.shape, self.vocab_size), self.compute_dtype)

    def get_config(self) -> Config:
        return {**super().get_config(), "vocab_size": self.vocab_size}

"""Logits whose kernel is the embedding of the tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class TiedLogits(keras.layers.Layer):
    """Projection to the width of an embedding, whose vectors are then the kernel of the logits.

    The embedding is learned from what is read and from what is written (Press & Wolf 2017).

    Args:
        embedding: Layer with the weight `embeddings` `(vocab_size, output_dim)`, which saves it.

    Call arguments:
        inputs: `(..., features)`.

    Returns:
        Logits `(..., vocab_size)`.
    """

    def __init__(self, embedding: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # In a function, since the embedding is saved where it belongs.
        self._embedding = lambda: embedding
        self.vocab_size = embedding.input_dim
        self.projection = keras.layers.Dense(
            embedding.output_dim, dtype=self.dtype_policy, name="projection"
        )

    def build(self, input_shape: Any) -> None:
        self.projection.build(input_shape)

    def call(self, inputs: Any) -> Any:
        kernel = ops.cast(self._embedding().embeddings, self.compute_dtype)
        return ops.matmul(self.projection(inputs), ops.transpose(kernel))

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((*inputs.shape[:-1], self.vocab_size), self.compute_dtype)

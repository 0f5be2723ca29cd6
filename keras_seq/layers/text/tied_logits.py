"""Logits with weights tied to the embedding of the tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq._internal.types import Shape, Tensor


class TiedLogits(keras.layers.Layer):
    """Dense layer to logits whose kernel is the embedding of the tokens (Press & Wolf 2017).

    Args:
        embedding: Layer with the weight `embeddings` `(vocab_size, output_dim)`. It is not saved
            with this layer.
        project: Whether to project the inputs to `output_dim` features first.

    Call arguments:
        inputs: `(..., features)`; `(..., output_dim)` without `project`.

    Returns:
        Logits `(..., vocab_size)`.
    """

    def __init__(self, embedding: keras.layers.Layer, project: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # A function hides the embedding from Keras, which would save its weights twice.
        self._embedding = lambda: embedding
        self.vocab_size = embedding.input_dim
        self.projection = None
        if project:
            self.projection = keras.layers.Dense(
                embedding.output_dim, dtype=self.dtype_policy, name="projection"
            )

    def build(self, input_shape: Shape) -> None:
        if self.projection is not None:
            self.projection.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs if self.projection is None else self.projection(inputs)
        kernel = ops.cast(self._embedding().embeddings, self.compute_dtype)
        return ops.matmul(x, ops.transpose(kernel))

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor((*inputs.shape[:-1], self.vocab_size), self.compute_dtype)

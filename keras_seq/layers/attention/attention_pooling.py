"""Attention pooling over time."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.float64 import matmul, tanh
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.scan.padding import zero_masked


@keras.saving.register_keras_serializable(package="keras_seq")
class AttentionPooling(keras.layers.Layer):
    """Mean over time, weighted by attention to a learned query (Yang et al. 2016).

        weight_t = softmax_t(v . tanh(W x_t + b)),  output = sum_t weight_t x_t

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import AttentionPooling
    >>> x, mask = np.ones((2, 3, 4)), np.array([[True, True, False], [True, True, True]])
    >>> output, weights = AttentionPooling(8)(x, mask=mask, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 4), (2, 3))
    >>> ops.convert_to_numpy(weights)[0].tolist()
    [0.5, 0.5, 0.0]

    Args:
        units: Number of hidden units of the score, the rows of W.

    Call arguments:
        inputs: `(batch, timesteps, features)`.
        mask: Bools `(batch, timesteps)`, False where the weight is 0. A sequence that is masked as
            a whole gives zeros.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        `(batch, features)`; with `return_attention_scores` a pair of it and the weights
        `(batch, timesteps)`.

    Weights: `kernel` `(features, units)`, `bias` `(units,)`, `query` `(units,)`.
    """

    def __init__(self, units: PositiveInt, **kwargs: Any) -> None:
        check_arguments(AttentionPooling, locals())
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), name="bias", initializer="zeros")
        self.query = self.add_weight(
            shape=(self.units,), name="query", initializer=keras.initializers.RandomNormal(0.1)
        )

    def call(
        self, inputs: Tensor, mask: Tensor | None = None, return_attention_scores: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        if mask is not None:
            inputs = zero_masked(inputs, mask)
        scores = tanh(matmul(inputs, self.kernel) + self.bias)
        scores = ops.sum(scores * self.query, axis=-1)
        if mask is not None:
            scores = ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        if mask is not None:
            weights = weights * ops.cast(mask, weights.dtype)
        pooled = ops.sum(weights[:, :, None] * inputs, axis=1)
        return (pooled, weights) if return_attention_scores else pooled

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> None:
        return None

    def compute_output_spec(
        self, inputs: Tensor, mask: Tensor | None = None, return_attention_scores: bool = False
    ) -> keras.KerasTensor | tuple[keras.KerasTensor, keras.KerasTensor]:
        batch, timesteps, features = inputs.shape
        pooled = keras.KerasTensor((batch, features), inputs.dtype)
        weights = keras.KerasTensor((batch, timesteps), inputs.dtype)
        return (pooled, weights) if return_attention_scores else pooled

    def get_config(self) -> Config:
        return {**super().get_config(), "units": self.units}

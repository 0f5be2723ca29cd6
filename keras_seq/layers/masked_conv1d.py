"""Convolution over time that ignores padding."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Activation, Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class MaskedConv1D(keras.layers.Layer):
    """Convolution over time whose outputs do not depend on the length of the padding.

    The `kernel_size` time steps that output i reads are centered on the steps `i * strides` to
    `(i + 1) * strides - 1`. The output is masked if step `i * strides` is.

    >>> import keras
    >>> from keras_seq.layers import MaskedConv1D
    >>> layer = MaskedConv1D(8, kernel_size=4, strides=2)
    >>> tuple(layer(keras.random.normal((3, 5, 2))).shape)
    (3, 3, 8)

    Args:
        filters: Number of output features.
        kernel_size: Number of time steps that an output reads, at least `strides`.
        strides: Number of time steps from one output to the next.
        activation: Activation of the outputs. Default: ReLU.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        mask: Bools `(batch, timesteps)`, False only after the end of a sequence.

    Returns:
        `(batch, timesteps / strides, filters)`, the number of time steps rounded up.

    Raises:
        InputError: If `filters` or `strides` is not positive, or `kernel_size` is less than
            `strides`.
    """

    def __init__(
        self,
        filters: PositiveInt,
        kernel_size: PositiveInt,
        strides: PositiveInt = 1,
        activation: Activation = "relu",
        **kwargs: Any,
    ) -> None:
        check_arguments(MaskedConv1D, locals())
        super().__init__(**kwargs)
        if kernel_size < strides:
            raise InputError(
                f"MaskedConv1D: kernel_size must be at least strides, got {kernel_size} and "
                f"{strides}."
            )
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.convolution = keras.layers.Conv1D(
            filters,
            kernel_size,
            strides=strides,
            activation=activation,
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.supports_masking = True

    def build(self, sequences_shape: Shape) -> None:
        self.convolution.build((sequences_shape[0], None, sequences_shape[-1]))

    def call(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            sequences = ops.where(mask[:, :, None], sequences, 0.0)
        left = (self.kernel_size - self.strides) // 2
        right = self.kernel_size - 1 - left
        return self.convolution(ops.pad(sequences, [[0, 0], [left, right], [0, 0]]))

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None if mask is None else mask[:, :: self.strides]

    def compute_output_shape(self, sequences_shape: Shape) -> Shape:
        batch, timesteps, _ = sequences_shape
        return (batch, timesteps and -(-timesteps // self.strides), self.filters)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "activation": keras.activations.serialize(self.convolution.activation),
        }

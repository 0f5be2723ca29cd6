"""Convolution over the frequency bins of each time step."""

from typing import Any, cast

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class BandConvolution(keras.layers.Layer):
    """Convolution (ReLU) and max pooling over the frequency bins of each time step.

    The outputs change little if all frequencies shift, as between a low and a high voice
    (Abdel-Hamid et al. 2014). The frames of a time step are the channels of the convolution. Each
    time step is processed on its own.

    >>> import keras
    >>> from keras_seq.layers import BandConvolution
    >>> steps = keras.random.normal((2, 7, 3 * 40))  # 7 time steps of 3 frames of 40 bins
    >>> tuple(BandConvolution(num_frames=3, filters=16)(steps).shape)
    (2, 7, 176)

    Args:
        num_frames: Number of frames per time step, `frame_stack` of the `FrontEnd`.
        filters: Number of filters.
        kernel_size: Number of neighboring bins that a filter reads.
        pool_size: Number of neighboring outputs per maximum, which is also the stride.

    Call arguments:
        steps: `(batch, timesteps, num_frames * bins)`.

    Returns:
        `(batch, timesteps, (bins - kernel_size + 1) // pool_size * filters)`.

    Raises:
        InputError: If the number of features is not a multiple of `num_frames`, or there are fewer
            bins than `kernel_size + pool_size - 1`.
    """

    def __init__(
        self,
        num_frames: PositiveInt,
        filters: PositiveInt,
        kernel_size: PositiveInt = 8,
        pool_size: PositiveInt = 3,
        **kwargs: Any,
    ) -> None:
        check_arguments(BandConvolution, locals())
        super().__init__(**kwargs)
        self.num_frames, self.filters = num_frames, filters
        self.kernel_size, self.pool_size = kernel_size, pool_size
        policy = self.dtype_policy
        self.convolution = keras.layers.Conv2D(
            filters, (1, kernel_size), activation="relu", dtype=policy, name="convolution"
        )
        self.pooling = keras.layers.MaxPooling2D((1, pool_size), dtype=policy, name="pooling")

    def build(self, steps_shape: Shape) -> None:
        bins, remainder = divmod(cast(int, steps_shape[-1]), self.num_frames)
        if remainder:
            raise InputError(
                f"BandConvolution: {steps_shape[-1]} features are not a multiple of num_frames, "
                f"{self.num_frames}."
            )
        min_bins = self.kernel_size + self.pool_size - 1
        if bins < min_bins:
            raise InputError(
                f"BandConvolution: kernel_size={self.kernel_size} and pool_size={self.pool_size} "
                f"need at least {min_bins} bins per frame, got {bins}."
            )
        self.convolution.build((None, None, bins, self.num_frames))

    def call(self, steps: Tensor) -> Tensor:
        batch, timesteps = ops.shape(steps)[:2]
        bins = steps.shape[-1] // self.num_frames
        x = ops.reshape(steps, (batch, timesteps, self.num_frames, bins))
        x = self.pooling(self.convolution(ops.transpose(x, (0, 1, 3, 2))))
        return ops.reshape(x, (batch, timesteps, self._output_size(bins)))

    def _output_size(self, bins: int) -> int:
        return (bins - self.kernel_size + 1) // self.pool_size * self.filters

    def compute_output_shape(self, steps_shape: Shape) -> Shape:
        bins = cast(int, steps_shape[-1]) // self.num_frames
        return (*steps_shape[:2], self._output_size(bins))

    def get_config(self) -> Config:
        names = ("num_frames", "filters", "kernel_size", "pool_size")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

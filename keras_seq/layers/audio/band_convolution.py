"""A convolution over the frequencies of each time step."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError


@keras.saving.register_keras_serializable(package="keras_seq")
class BandConvolution(keras.layers.Layer):
    """Convolution and max pooling over the bands of each time step (Abdel-Hamid et al. 2014).

    It finds a pattern wherever it is on the scale of frequencies, so that a higher voice is much
    the same. The frames of a time step are the channels, so that no time step reads another.

    >>> import keras
    >>> from keras_seq.layers import BandConvolution
    >>> steps = keras.random.normal((2, 7, 3 * 40))  # 7 time steps of 3 frames of 40 bands
    >>> tuple(BandConvolution(num_frames=3, filters=16)(steps).shape)
    (2, 7, 176)

    Args:
        num_frames: Number of frames per time step, `frame_stack` of the `FrontEnd`.
        filters: Number of filters.
        kernel_size: Number of neighbouring bands that a filter reads.
        pool_size: Number of neighbouring outputs of which the largest is kept.

    Call arguments:
        steps: `(batch, timesteps, num_frames * bands)`.

    Returns:
        `(batch, timesteps, (bands - kernel_size + 1) // pool_size * filters)`.

    Raises:
        InputError: If the time steps do not consist of so many frames, or have too few bands.
    """

    def __init__(
        self,
        num_frames: int,
        filters: int,
        kernel_size: int = 8,
        pool_size: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_frames, self.filters = num_frames, filters
        self.kernel_size, self.pool_size = kernel_size, pool_size
        policy = self.dtype_policy
        self.convolution = keras.layers.Conv2D(
            filters, (1, kernel_size), activation="relu", dtype=policy, name="convolution"
        )
        self.pooling = keras.layers.MaxPooling2D((1, pool_size), dtype=policy, name="pooling")

    def build(self, steps_shape: Any) -> None:
        bands, rest = divmod(steps_shape[-1], self.num_frames)
        if rest:
            raise InputError(
                f"BandConvolution: {steps_shape[-1]} features are not {self.num_frames} frames."
            )
        if bands < self.kernel_size + self.pool_size - 1:
            raise InputError(
                f"BandConvolution: a convolution over {bands} bands is too wide; "
                f"{self.kernel_size + self.pool_size - 1} would do."
            )
        self.convolution.build((None, None, bands, self.num_frames))

    def call(self, steps: Any) -> Any:
        batch, timesteps = ops.shape(steps)[:2]
        bands = steps.shape[-1] // self.num_frames
        x = ops.reshape(steps, (batch, timesteps, self.num_frames, bands))
        x = self.pooling(self.convolution(ops.transpose(x, (0, 1, 3, 2))))
        return ops.reshape(x, (batch, timesteps, self._width(bands)))

    def _width(self, bands: int) -> int:
        return (bands - self.kernel_size + 1) // self.pool_size * self.filters

    def compute_output_shape(self, steps_shape: Any) -> tuple:
        return (*steps_shape[:2], self._width(steps_shape[-1] // self.num_frames))

    def get_config(self) -> dict[str, Any]:
        names = ("num_frames", "filters", "kernel_size", "pool_size")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

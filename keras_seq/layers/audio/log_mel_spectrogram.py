"""Log-mel spectrogram of audio samples."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import NonNegativeFloat, PositiveFloat, PositiveInt, check_arguments
from keras_seq._internal.types import Array, Config, Tensor


def mel_frequencies(num_mel_bins: int, min_freq: float, max_freq: float) -> Array:
    """Return the edges and centers of mel bins in Hz, `(num_mel_bins + 2,)`.

    Bin i extends from frequency i to frequency i + 2, and its center is frequency i + 1. The mel
    scale is that of `keras.layers.MelSpectrogram`, 1127 log(1 + hertz / 700).

    Args:
        num_mel_bins: Number of mel bins.
        min_freq: Lower edge of the lowest bin, in Hz.
        max_freq: Upper edge of the highest bin, in Hz.
    """
    low, high = 1127 * np.log(1 + np.array([min_freq, max_freq]) / 700)
    return 700 * (np.exp(np.linspace(low, high, num_mel_bins + 2) / 1127) - 1)


@keras.saving.register_keras_serializable(package="keras_seq")
class LogMelSpectrogram(keras.layers.Layer):
    """Log-mel spectrogram whose frames do not depend on each other or on padding.

    Frame i is computed from `frame_length` samples, from sample `i * frame_step` on, under a Hann
    window. A recording that is cut into chunks therefore has the same frames as a whole, if each
    chunk begins where a frame does. `keras.layers.MelSpectrogram` has the same mel bins, but pads
    both ends, and clips relative to the loudest value of the batch.

    The Fourier transform is a strided convolution with sinusoids, which all export formats support.

    >>> import numpy as np
    >>> from keras_seq.layers import LogMelSpectrogram
    >>> layer = LogMelSpectrogram(8_000, frame_length=200, frame_step=80, num_mel_bins=20)
    >>> tuple(layer(np.zeros((1, 8_000))).shape)
    (1, 98, 20)

    Args:
        sample_rate: Samples per second.
        frame_length: Number of samples per frame.
        frame_step: Number of samples from one frame to the next, at most `frame_length`.
        num_mel_bins: Number of mel bins.
        min_freq: Lower edge of the lowest bin, in Hz.
        max_freq: Upper edge of the highest bin, in Hz. Default: half the sample rate.
        min_power: Minimum power; smaller values are raised to it before the logarithm.

    Call arguments:
        samples: Floats from -1 to 1, `(batch, samples)`.

    Returns:
        Natural logarithm of the power in each mel bin, float32 `(batch, frames, num_mel_bins)`.

    Raises:
        InputError: If `frame_step` is not from 1 to `frame_length`, or the frames are too short for
            that many mel bins.
    """

    def __init__(
        self,
        sample_rate: PositiveInt = 16_000,
        frame_length: PositiveInt = 400,
        frame_step: int = 160,
        num_mel_bins: PositiveInt = 40,
        min_freq: NonNegativeFloat = 20.0,
        max_freq: float | None = None,
        min_power: PositiveFloat = 1e-5,
        **kwargs: Any,
    ) -> None:
        check_arguments(LogMelSpectrogram, locals())
        super().__init__(**{"dtype": "float32", **kwargs})
        if not 1 <= frame_step <= frame_length:
            raise InputError(
                f"LogMelSpectrogram: frame_step must be from 1 to frame_length, {frame_length}, "
                f"got {frame_step}."
            )
        self.sample_rate, self.num_mel_bins = sample_rate, num_mel_bins
        self.frame_length, self.frame_step = frame_length, frame_step
        self.min_freq, self.max_freq, self.min_power = min_freq, max_freq, min_power
        fft_length = 2 ** (frame_length - 1).bit_length()
        num_frequencies = fft_length // 2 + 1
        keras_layer = keras.layers.MelSpectrogram(
            fft_length,
            frame_step,
            frame_length,
            sampling_rate=sample_rate,
            num_mel_bins=num_mel_bins,
        )
        matrix = keras_layer.linear_to_mel_weight_matrix(
            num_mel_bins, num_frequencies, sample_rate, min_freq, max_freq or sample_rate / 2
        )
        self.mel_matrix = ops.convert_to_numpy(matrix)
        if not self.mel_matrix.any(axis=0).all():
            raise InputError(
                f"LogMelSpectrogram: {num_mel_bins} mel bins are too many for frames of "
                f"{frame_length} samples, since some would be empty; use fewer bins or longer "
                "frames."
            )
        n = np.arange(frame_length)
        angles = 2 * np.pi / fft_length * np.outer(n, np.arange(num_frequencies))
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / frame_length)
        sinusoids = hann[:, None] * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        self.sinusoids = sinusoids.astype("float32")[:, None, :]

    def call(self, samples: Tensor) -> Tensor:
        samples = ops.expand_dims(ops.cast(samples, "float32"), -1)
        spectrum = ops.conv(samples, self.sinusoids, strides=self.frame_step, padding="valid")
        cosines, sines = ops.split(ops.square(spectrum), 2, axis=-1)
        power = ops.matmul(cosines + sines, self.mel_matrix)
        return ops.log(ops.maximum(power, self.min_power))

    def compute_output_spec(self, samples: Tensor) -> keras.KerasTensor:
        batch, count = samples.shape
        frames = None if count is None else 1 + (count - self.frame_length) // self.frame_step
        return keras.KerasTensor((batch, frames, self.num_mel_bins), "float32")

    def get_config(self) -> Config:
        names = (
            *("sample_rate", "frame_length", "frame_step", "num_mel_bins"),
            *("min_freq", "max_freq", "min_power"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

"""From samples of sound to spectrograms."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError


@keras.saving.register_keras_serializable(package="keras_seq")
class LogMel(keras.layers.Layer):
    """Log-mel spectrogram: `(batch, samples)` to `(batch, frames, bands)`.

    Frame number i is of the samples from `i * hop` to `i * hop + window`, under a Hann window: no
    frame reaches beyond either end, and none depends on another. So sound that comes in pieces has
    the frames of the whole, if each piece begins with what the frame before has not passed. In
    `keras.layers.MelSpectrogram`, of which the bands are, frames reach beyond the ends, and what is
    far below the loudest of the batch is cut off.

    The Fourier transform is a strided convolution with sinusoids, which any runtime can do.

    Args:
        sample_rate: Samples a second.
        window: Samples a frame.
        hop: Samples from frame to frame.
        bands: How many.
        low, high: The edges of the bands, in Hz; `high` is half the sample rate by default.
        floor: Least power. Samples are within -1 to 1.

    Returns:
        Natural logarithms of the power in each band, float32.
    """

    def __init__(
        self,
        sample_rate=16_000,
        window=400,
        hop=160,
        bands=40,
        low=20.0,
        high=None,
        floor=1e-5,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        if not 1 <= hop <= window:
            raise InputError(
                f"LogMel: hop must be from 1 to the window of {window} samples, got {hop}."
            )
        self.sample_rate, self.window, self.hop = sample_rate, window, hop
        self.bands, self.low, self.high, self.floor = bands, low, high, floor
        length = 2 ** (window - 1).bit_length()
        mel = keras.layers.MelSpectrogram(
            length, hop, window, sampling_rate=sample_rate, num_mel_bins=bands
        )
        matrix = mel.linear_to_mel_weight_matrix(
            bands, length // 2 + 1, sample_rate, low, high or sample_rate / 2
        )
        self.matrix = ops.convert_to_numpy(matrix)
        if not self.matrix.any(axis=0).all():
            raise InputError(
                f"LogMel: {bands} bands are too many for a window of {window} samples: some would "
                "be empty."
            )
        n = np.arange(window)
        angles = 2 * np.pi / length * np.outer(n, np.arange(length // 2 + 1))
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / window)
        waves = hann[:, None] * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        self.waves = waves.astype("float32")[:, None, :]

    def call(self, samples):
        samples = ops.expand_dims(ops.cast(samples, "float32"), -1)
        parts = ops.conv(samples, self.waves, strides=self.hop, padding="valid")
        cosines, sines = ops.split(ops.square(parts), 2, axis=-1)
        power = ops.matmul(cosines + sines, self.matrix)
        return ops.log(ops.maximum(power, self.floor))

    def compute_output_spec(self, samples):
        batch, count = samples.shape
        frames = None if count is None else 1 + (count - self.window) // self.hop
        return keras.KerasTensor((batch, frames, self.bands), "float32")

    def get_config(self):
        names = ("sample_rate", "window", "hop", "bands", "low", "high", "floor")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

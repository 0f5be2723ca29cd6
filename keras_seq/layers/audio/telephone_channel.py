"""Simulation of telephone lines in training."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import (
    NonNegativeFloat,
    PositiveFloat,
    Probability,
    check_arguments,
)
from keras_seq._internal.types import Config, Tensor
from keras_seq.layers.audio.log_mel_spectrogram import mel_frequencies

NYQUIST_HZ = 4_000
"""Half the sampling rate of a telephone line."""
LOW_CUTOFF_HZ, HIGH_CUTOFF_HZ = (150.0, 400.0), (3_000.0, 3_800.0)
"""Ranges of the cutoff frequencies: the nominal band is 300 to 3400 Hz."""
LOW_ORDER, HIGH_ORDER = 3, 24
"""Orders of the Butterworth responses at the cutoff frequencies."""
SNR_DB = (20.0, 38.0)
"""Range of the signal-to-noise ratio of the codec in dB. That of G.711 is 38 dB at most levels, and
lower for quiet speech."""


@keras.saving.register_keras_serializable(package="keras_seq")
class TelephoneChannel(keras.layers.Layer):
    """Simulation of telephone lines on log-mel spectrograms, in training.

    Random spectrograms are limited to a random band of about 300 to 3400 Hz, as by sampling at
    8 kHz. White noise at a random level in the band stands for the quantization of the codec, such
    as mu-law. At inference the layer changes nothing.

    >>> import keras
    >>> from keras_seq.layers import TelephoneChannel
    >>> layer = TelephoneChannel(prob=0.5)
    >>> tuple(layer(keras.random.normal((2, 98, 40)), training=True).shape)
    (2, 98, 40)

    Args:
        prob: Probability that a spectrogram is changed, from 0 to 1.
        min_freq: Lower edge of the lowest mel bin, in Hz.
        max_freq: Upper edge of the highest mel bin, in Hz.
        min_power: Minimum power of the spectrograms, as in `LogMelSpectrogram`.
        seed: Random seed.

    Call arguments:
        log_mel: Log-mel spectrograms `(batch, frames, num_mel_bins)`, as of `LogMelSpectrogram`.
        training: Whether to simulate telephone lines.

    Returns:
        `(batch, frames, num_mel_bins)`.

    Raises:
        InputError: If `min_freq` is not below `max_freq` and half the sampling rate of a line.
    """

    def __init__(
        self,
        prob: Probability = 0.5,
        min_freq: NonNegativeFloat = 20.0,
        max_freq: PositiveFloat = 8_000.0,
        min_power: PositiveFloat = 1e-5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(TelephoneChannel, locals())
        super().__init__(**kwargs)
        if not min_freq < min(max_freq, NYQUIST_HZ):
            raise InputError(
                f"TelephoneChannel: min_freq must be below max_freq, {max_freq}, and "
                f"{NYQUIST_HZ} Hz, got {min_freq}."
            )
        self.prob, self.min_freq, self.max_freq = prob, min_freq, max_freq
        self.min_power, self.seed = min_power, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, log_mel: Tensor, training: bool | None = False) -> Tensor:
        if not training or not self.prob:
            return log_mel
        batch = ops.shape(log_mel)[0]

        def uniform(low: float, high: float) -> Tensor:
            return keras.random.uniform((batch, 1, 1), low, high, seed=self.seed_generator)

        edges = mel_frequencies(log_mel.shape[-1], self.min_freq, self.max_freq)
        centers = edges[1:-1].astype("float32")
        is_sampled = (centers < NYQUIST_HZ).astype("float32")
        # Power responses of Butterworth filters.
        low_cut = 1 / (1 + (uniform(*LOW_CUTOFF_HZ) / centers) ** (2 * LOW_ORDER))
        high_cut = 1 / (1 + (uniform(*HIGH_CUTOFF_HZ) / centers) ** (-2 * HIGH_ORDER))
        power = ops.exp(ops.cast(log_mel, "float32")) * low_cut * high_cut * is_sampled
        # The share of each bin in white noise is proportional to its bandwidth.
        bandwidths = (edges[2:] - edges[:-2]).astype("float32") * is_sampled
        noise_to_signal = 10 ** (-uniform(*SNR_DB) / 10)
        noise = ops.sum(power, axis=-1, keepdims=True) * noise_to_signal
        power += noise * bandwidths / bandwidths.sum()
        limited = ops.cast(ops.log(ops.maximum(power, self.min_power)), log_mel.dtype)
        return ops.where(uniform(0, 1) < self.prob, limited, log_mel)

    def compute_output_spec(
        self, log_mel: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(log_mel.shape, log_mel.dtype)

    def get_config(self) -> Config:
        names = ("prob", "min_freq", "max_freq", "min_power", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

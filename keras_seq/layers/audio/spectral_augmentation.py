"""Augmentation of spectrograms in training: SpecAugment, and vocal tract length perturbation."""

from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    Range,
    check_arguments,
)
from keras_seq._internal.types import Config, Tensor
from keras_seq.layers.audio.log_mel_spectrogram import mel_frequencies


@keras.saving.register_keras_serializable(package="keras_seq")
class VocalTractLengthPerturbation(keras.layers.Layer):
    """Vocal tract length perturbation (VTLP) of log-mel spectrograms (Jaitly & Hinton 2013).

    In training, the frequencies of each spectrogram are scaled by a random factor, which simulates
    a shorter or longer vocal tract.

    >>> import keras
    >>> from keras_seq.layers import VocalTractLengthPerturbation
    >>> layer = VocalTractLengthPerturbation(0.1, min_freq=20.0, max_freq=4_000.0)
    >>> tuple(layer(keras.random.normal((2, 98, 40)), training=True).shape)
    (2, 98, 40)

    Args:
        max_warp: Largest relative change of the frequencies. Factors are drawn uniformly from
            `1 - max_warp` to `1 + max_warp`.
        min_freq: Lower edge of the lowest mel bin, in Hz.
        max_freq: Upper edge of the highest mel bin, in Hz.
        seed: Random seed.

    Call arguments:
        log_mel: Log-mel spectrograms `(batch, frames, num_mel_bins)`.
        training: Whether to warp.

    Returns:
        `(batch, frames, num_mel_bins)`.
    """

    def __init__(
        self,
        max_warp: Annotated[float, Range(0, below=1)] = 0.15,
        min_freq: NonNegativeFloat = 20.0,
        max_freq: PositiveFloat = 8_000.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(VocalTractLengthPerturbation, locals())
        super().__init__(**kwargs)
        self.max_warp, self.min_freq, self.max_freq = max_warp, min_freq, max_freq
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, log_mel: Tensor, training: bool | None = False) -> Tensor:
        if not training:
            return log_mel
        num_bins = log_mel.shape[-1]
        low, high = 1127 * np.log(1 + np.array([self.min_freq, self.max_freq]) / 700)
        width = (high - low) / (num_bins + 1)
        centers = mel_frequencies(num_bins, self.min_freq, self.max_freq)[1:-1]
        factor = keras.random.uniform(
            (ops.shape(log_mel)[0], 1),
            1 - self.max_warp,
            1 + self.max_warp,
            seed=self.seed_generator,
        )
        # Fractional index of the bin that each bin reads, clipped to the first and the last bin.
        mel = 1127 * ops.log(1 + factor * centers.astype("float32") / 700)
        source = ops.clip((mel - low) / width - 1, 0, num_bins - 1)
        distance = ops.abs(source[:, None, :] - np.arange(num_bins, dtype="float32")[:, None])
        weights = ops.relu(1 - distance)  # linear interpolation
        return ops.matmul(log_mel, ops.cast(weights, log_mel.dtype))

    def compute_output_spec(
        self, log_mel: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(log_mel.shape, log_mel.dtype)

    def get_config(self) -> Config:
        names = ("max_warp", "min_freq", "max_freq", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_seq")
class SpecAugment(keras.layers.Layer):
    """SpecAugment: random masking of frequency bins and time steps (Park et al. 2019).

    In training, masked values are set to zero. Time warping is not included.

    >>> import keras
    >>> from keras_seq.layers import SpecAugment
    >>> layer = SpecAugment(num_masks=2, freq_mask_width=6, time_mask_width=20)
    >>> tuple(layer(keras.random.normal((2, 98, 40)), training=True).shape)
    (2, 98, 40)

    Args:
        num_masks: Number of masks per axis: frequency and time.
        freq_mask_width: Largest number of bins that one mask covers.
        time_mask_width: Largest number of time steps that one mask covers.
        seed: Random seed.

    Call arguments:
        inputs: Normalized spectrograms `(batch, timesteps, bins)`.
        training: Whether to mask.

    Returns:
        `(batch, timesteps, bins)`.
    """

    def __init__(
        self,
        num_masks: NonNegativeInt = 2,
        freq_mask_width: NonNegativeInt = 6,
        time_mask_width: NonNegativeInt = 20,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(SpecAugment, locals())
        super().__init__(**kwargs)
        self.num_masks, self.freq_mask_width = num_masks, freq_mask_width
        self.time_mask_width, self.seed = time_mask_width, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        if not training or not self.num_masks:
            return inputs
        batch, timesteps, bins = ops.shape(inputs)
        keep = self._draw_mask(batch, timesteps, self.time_mask_width)[:, :, None]
        keep = keep & self._draw_mask(batch, bins, self.freq_mask_width)[:, None, :]
        return ops.where(keep, inputs, 0.0)

    def _draw_mask(self, batch: Tensor, size: Tensor, max_width: int) -> Tensor:
        """Return bools `(batch, size)`, False where a value is masked."""
        shape = (2, batch, 1, self.num_masks)
        position, width = ops.unstack(keras.random.uniform(shape, seed=self.seed_generator), 2)
        start = position * ops.cast(size, "float32")
        index = ops.cast(ops.arange(size), "float32")[None, :, None]
        return ops.all((index < start) | (index >= start + width * max_width), axis=-1)

    def compute_output_spec(
        self, inputs: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def get_config(self) -> Config:
        names = ("num_masks", "freq_mask_width", "time_mask_width", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

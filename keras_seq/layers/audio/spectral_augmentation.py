"""Spectrograms that differ every time, in training."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seq")
class SpectralWarping(keras.layers.Layer):
    """Moves the frequencies of log-mel spectrograms `(batch, frames, bands)`, in training only.

    Each spectrogram is as of a vocal tract that is a little longer or shorter (Jaitly & Hinton
    2013): what was at a frequency comes from `factor` times that frequency.

    Args:
        most: The factor is drawn from 1 - most to 1 + most.
        low, high: The edges of the bands, in Hz, as of `keras_seq.layers.LogMel`.
        seed: Of the random numbers.
    """

    def __init__(self, most=0.15, low=20.0, high=8_000.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.most, self.low, self.high, self.seed = most, low, high, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, log_mel, training=False):
        if not training:
            return log_mel
        count = log_mel.shape[-1]
        # The scale of keras.layers.MelSpectrogram: 1127 log(1 + hertz / 700).
        begin, end = 1127 * np.log(1 + np.array([self.low, self.high]) / 700)
        width = (end - begin) / (count + 1)
        centres = 700 * (np.exp((begin + width * np.arange(1, count + 1)) / 1127) - 1)
        factor = keras.random.uniform(
            (ops.shape(log_mel)[0], 1), 1 - self.most, 1 + self.most, seed=self.seed_generator
        )
        # Where each band comes from, counted in bands; beyond the ends, from the last of them.
        mel = 1127 * ops.log(1 + factor * centres.astype("float32") / 700)
        place = ops.clip((mel - begin) / width - 1, 0, count - 1)
        share = 1 - ops.abs(place[:, None, :] - np.arange(count, dtype="float32")[:, None])
        return ops.matmul(log_mel, ops.cast(ops.relu(share), log_mel.dtype))

    def compute_output_spec(self, log_mel, training=False):
        return keras.KerasTensor(log_mel.shape, log_mel.dtype)

    def get_config(self):
        names = ("most", "low", "high", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_seq")
class SpectralMasking(keras.layers.Layer):
    """Blots out bands and stretches of time of `(batch, steps, bands)`, in training only.

    What is blotted out is zero (SpecAugment, Park et al. 2019).

    Args:
        masks: How many blots of either kind.
        bands: How many bands each covers at most.
        steps: How many time steps each covers at most.
        seed: Of the random numbers.
    """

    def __init__(self, masks=2, bands=6, steps=20, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.masks, self.bands, self.steps, self.seed = masks, bands, steps, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training or not self.masks:
            return inputs
        batch, steps, bands = ops.shape(inputs)
        kept = self._kept(batch, steps, self.steps)[:, :, None]
        kept = kept & self._kept(batch, bands, self.bands)[:, None, :]
        return ops.where(kept, inputs, 0.0)

    def _kept(self, batch, size, most):
        """Where no blot is: bools (batch, size)."""
        shape = (2, batch, 1, self.masks)
        where, wide = ops.unstack(keras.random.uniform(shape, seed=self.seed_generator), 2)
        begin = where * ops.cast(size, "float32")
        places = ops.cast(ops.arange(size), "float32")[None, :, None]
        return ops.all((places < begin) | (places >= begin + wide * most), axis=-1)

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def get_config(self):
        names = ("masks", "bands", "steps", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

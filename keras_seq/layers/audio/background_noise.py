"""Random background noise in training."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import FiniteFloat, Probability, check_arguments
from keras_seq._internal.types import Array, ArrayLike, Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class BackgroundNoise(keras.layers.Layer):
    """Random background noise in training, at a random signal-to-noise ratio (SNR).

    Track and SNR are drawn for each recording; the offset in the tracks is drawn for each batch.
    `set_noise` sets the tracks. They are not saved: a new or a loaded layer adds no noise.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import BackgroundNoise
    >>> layer = BackgroundNoise(min_snr_db=10.0, max_snr_db=10.0, clean_prob=0.0)
    >>> layer.set_noise([[1.0, -1.0]])
    >>> noise = ops.convert_to_numpy(layer(np.ones((1, 4)), training=True)) - 1
    >>> round(10 * np.log10(1 / np.mean(noise**2)))  # SNR in dB
    10

    Args:
        min_snr_db: Lowest SNR, in dB.
        max_snr_db: Highest SNR, in dB. Ratios are drawn uniformly, in dB.
        clean_prob: Probability that a recording gets no noise, from 0 to 1.
        seed: Random seed.

    Call arguments:
        samples: `(batch, samples)`. Padding and other samples below 1/1000 of the peak amplitude
            of a recording do not count in its power.
        training: Whether to add noise.

    Returns:
        `(batch, samples)`.
    """

    def __init__(
        self,
        min_snr_db: FiniteFloat = 5.0,
        max_snr_db: FiniteFloat = 15.0,
        clean_prob: Probability = 0.05,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(BackgroundNoise, locals())
        super().__init__(**kwargs)
        self.min_snr_db, self.max_snr_db = min_snr_db, max_snr_db
        self.clean_prob, self.seed = clean_prob, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._tracks: Array | None = None

    def set_noise(self, tracks: ArrayLike) -> None:
        """Set the noise tracks.

        Args:
            tracks: Floats `(tracks, samples)`. Tracks that are shorter than a recording are
                repeated.

        Raises:
            InputError: If a track is silent.
        """
        tracks = np.asarray(tracks, "float32")
        power = np.mean(np.square(tracks), axis=1, keepdims=True)
        if not power.all():
            raise InputError(f"Noise track {int(np.argmin(power)) + 1} is silent: leave it out.")
        self._tracks = (tracks / np.sqrt(power)).astype("float16")

    def call(self, samples: Tensor, training: bool | None = False) -> Tensor:
        samples = ops.cast(samples, self.compute_dtype)
        if not training or self._tracks is None:
            return samples
        batch, count = ops.shape(samples)
        samples = ops.cast(samples, "float32")
        num_tracks, track_length = self._tracks.shape

        def uniform(low: float, high: float, shape: Shape = (batch, 1)) -> Tensor:
            return keras.random.uniform(shape, low, high, seed=self.seed_generator)

        def randint(limit: int, shape: Shape) -> Tensor:
            return ops.minimum(ops.cast(uniform(0, limit, shape), "int32"), limit - 1)

        noise = ops.take(self._tracks, randint(num_tracks, (batch,)), axis=0)
        noise = ops.roll(noise, randint(track_length, ()), axis=1)
        noise = ops.tile(noise, (1, (count + track_length - 1) // track_length))[:, :count]
        noise = ops.cast(noise, "float32")
        # The power is a mean over audible samples, so that padding does not lower it.
        amplitude = ops.abs(samples)
        is_audible = amplitude > ops.max(amplitude, axis=1, keepdims=True) / 1000
        num_audible = ops.sum(ops.cast(is_audible, "float32"), axis=1, keepdims=True)
        power = ops.sum(ops.square(samples), axis=1, keepdims=True) / ops.maximum(num_audible, 1)
        noise_power = power * 10 ** (-uniform(self.min_snr_db, self.max_snr_db) / 10)
        gain = ops.where(uniform(0, 1) < self.clean_prob, 0.0, ops.sqrt(noise_power))
        return ops.cast(samples + noise * gain, self.compute_dtype)

    def compute_output_spec(
        self, samples: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(samples.shape, self.compute_dtype)

    def get_config(self) -> Config:
        names = ("min_snr_db", "max_snr_db", "clean_prob", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

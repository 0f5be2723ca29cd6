"""Sound beside which there is noise, another every time, in training."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError


@keras.saving.register_keras_serializable(package="keras_seq")
class BackgroundNoise(keras.layers.Layer):
    """Adds noise to sound `(batch, samples)`, in training only.

    For each recording is drawn which of some tracks of noise is heard, and how loud; from where on,
    for each batch. So no recording sounds twice the same, and none can be told by its noise. The
    tracks are given by `hear` and are not saved; before it, and in a loaded model, there is none.

    Args:
        quietest, loudest: Ratio of signal to noise in decibels, uniform between the two.
        clean: Share of the recordings without noise.
        seed: Of the random numbers.
    """

    def __init__(self, quietest=15.0, loudest=5.0, clean=0.05, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.quietest, self.loudest = quietest, loudest
        self.clean, self.seed = clean, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._tracks = None

    def hear(self, tracks):
        """Takes tracks of noise, `(tracks, samples)`, none silent, each of which goes round."""
        tracks = np.asarray(tracks, "float32")
        power = np.mean(np.square(tracks), axis=1, keepdims=True)
        if not power.all():
            raise InputError(f"Track {int(np.argmin(power)) + 1} of the noise is silent.")
        self._tracks = (tracks / np.sqrt(power)).astype("float16")

    def call(self, samples, training=False):
        samples = ops.cast(samples, self.compute_dtype)
        if not training or self._tracks is None:
            return samples
        batch, count = ops.shape(samples)
        samples = ops.cast(samples, "float32")
        tracks, long = self._tracks.shape

        def drawn(low, high, shape=(batch, 1)):
            return keras.random.uniform(shape, low, high, seed=self.seed_generator)

        def number(below, shape):
            return ops.minimum(ops.cast(drawn(0, below, shape), "int32"), below - 1)

        noise = ops.take(self._tracks, number(tracks, (batch,)), axis=0)
        noise = ops.roll(noise, number(long, ()), axis=1)
        noise = ops.tile(noise, (1, (count + long - 1) // long))[:, :count]
        noise = ops.cast(noise, "float32")
        # Where it is silent, also after the end, has no part in the power of the signal.
        size = ops.abs(samples)
        loud = size > ops.max(size, axis=1, keepdims=True) / 1000
        loud = ops.sum(ops.cast(loud, "float32"), axis=1, keepdims=True)
        power = ops.sum(ops.square(samples), axis=1, keepdims=True) / ops.maximum(loud, 1)
        wanted = power * 10 ** (-drawn(self.loudest, self.quietest) / 10)
        samples += noise * ops.where(drawn(0, 1) < self.clean, 0.0, ops.sqrt(wanted))
        return ops.cast(samples, self.compute_dtype)

    def compute_output_spec(self, samples, training=False):
        return keras.KerasTensor(samples.shape, self.compute_dtype)

    def get_config(self):
        names = ("quietest", "loudest", "clean", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

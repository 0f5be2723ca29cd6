"""Tokens that are not read, now and then, in training."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seq")
class TokenDropout(keras.layers.Layer):
    """Replaces tokens by `<UNK>`, so that no single one is relied on (word dropout, Iyyer 2015).

    Args:
        rate: Share of the tokens.
        unknown: The number of `<UNK>`; 0, the padding, stays.
        seed: Of the random numbers.

    Input and output: integers `(batch, timesteps)`.
    """

    def __init__(self, rate, unknown=1, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.unknown, self.seed = rate, unknown, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        drawn = keras.random.uniform(ops.shape(inputs), seed=self.seed_generator)
        return ops.where((drawn < self.rate) & (inputs > 0), self.unknown, inputs)

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def get_config(self):
        names = ("rate", "unknown", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

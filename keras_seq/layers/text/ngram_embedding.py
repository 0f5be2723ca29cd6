"""An embedding for runs of tokens, by hashing."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError


@keras.saving.register_keras_serializable(package="keras_seq")
class NgramEmbedding(keras.layers.Layer):
    """Embeds, at each step, the runs of the last 2, 3, ... tokens up to this one.

    A table of a fixed number of rows for each length of run; which row is a run's is decided by a
    hash, so that runs may share one (Mikolov et al. 2011; Bojanowski et al. 2017). A recurrent
    state has to learn what the table knows of itself: what follows on a run that was seen before.

    Args:
        longest: Tokens of the longest run, at least 2.
        rows: Of each table; a power of two.
        output_dim: Width of the vector of a run.
        dropout: Share of the steps at which the runs of one length are dropped in training, so
            that the model does not rely on runs that it has seen.
        seed: Of the random numbers.

    Input: integers `(..., longest)`, at each step the last tokens, the newest first, as `windows`
    makes them of sequences. Output: `(..., (longest - 1) * output_dim)`, shortest runs first.

    Weights: `tables` (longest - 1, rows, output_dim).
    """

    def __init__(self, longest, rows, output_dim, dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if longest < 2:
            raise InputError(f"NgramEmbedding takes runs of 2 tokens at least, got {longest}.")
        if rows < 2 or rows & (rows - 1):
            raise InputError(f"rows of an NgramEmbedding must be a power of two, got {rows}.")
        self.longest, self.rows, self.output_dim = longest, rows, output_dim
        self.dropout, self.seed = dropout, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Odd, so that no token is lost in the product.
        factors = np.random.default_rng(0).integers(2**20, 2**30, longest) * 2 + 1
        self.factors = [int(factor) for factor in factors.astype("int32")]

    def build(self, input_shape):
        # One table after the other.
        self.tables = self.add_weight(
            shape=((self.longest - 1) * self.rows, self.output_dim),
            name="tables",
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )

    def windows(self, inputs):
        """The last `longest` tokens at each step of sequences, the newest first.

        Args:
            inputs: Integers `(batch, timesteps)`, 0 for padding, which is also what precedes the
                first token.

        Returns:
            `(batch, timesteps, longest)`.
        """
        ids = ops.pad(ops.cast(inputs, "int32"), [[0, 0], [self.longest - 1, 0]])
        last = self.longest - 1
        return ops.stack([ids[:, last - n : -n or None] for n in range(self.longest)], axis=-1)

    def call(self, window, training=False):
        found, mixed = [], (window[..., 0] + 1) * self.factors[0]
        for n in range(1, self.longest):
            mixed = mixed + (window[..., n] + 1) * self.factors[n]
            hashed = ops.bitwise_xor(mixed, ops.right_shift(mixed, 15))
            row = ops.mod(hashed, self.rows) + (n - 1) * self.rows
            found.append(ops.take(self.tables, row, axis=0))
        vectors = ops.stack(found, axis=-2)
        if training and self.dropout:
            shape = (*ops.shape(vectors)[:-1], 1)
            kept = keras.random.uniform(shape, seed=self.seed_generator) >= self.dropout
            vectors = ops.where(kept, vectors / (1 - self.dropout), 0)
        return ops.reshape(vectors, (*ops.shape(window)[:-1], (self.longest - 1) * self.output_dim))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], (self.longest - 1) * self.output_dim)

    def compute_output_spec(self, window, training=False):
        return keras.KerasTensor(self.compute_output_shape(window.shape), self.compute_dtype)

    def get_config(self):
        names = ("longest", "rows", "output_dim", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

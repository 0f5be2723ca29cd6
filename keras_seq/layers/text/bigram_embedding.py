"""Pairs of neighbours: their numbers, and an embedding for them."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import dispatch_by_target


@keras.saving.register_keras_serializable(package="keras_seq")
class Bigrams(keras.layers.Layer):
    """Numbers the pairs of neighbours that are known, from 1, in the order of their tokens.

    Args:
        pairs: The pairs that are known: `(number of the token, number of the next token)`.

    Input: integers `(batch, timesteps)`, 0 for padding, which is also what precedes the first and
    follows the last token. Output: `(batch, timesteps + 1)`, first the pair that ends with the
    first token; 0 for a pair that is not known.
    """

    def __init__(self, pairs, **kwargs):
        super().__init__(**kwargs)
        pairs = np.asarray(pairs, "int64").reshape(-1, 2)
        if not len(pairs) or pairs.min() < 0:
            raise InputError("Pairs of tokens need at least one, of token numbers from 0 on.")
        self.base = int(pairs.max()) + 1
        if self.base > 46_340:
            raise InputError(
                f"Pairs of tokens take token numbers below 46,340, got {self.base - 1}: there "
                "would be more pairs than 32 bits can count."
            )
        self.pairs = pairs.tolist()
        self.codes = np.unique(pairs[:, 0] * self.base + pairs[:, 1]).astype("int32")

    def call(self, inputs):
        ids = ops.pad(ops.cast(inputs, "int32"), [[0, 0], [1, 1]])
        first, second = ids[:, :-1], ids[:, 1:]
        known = (first < self.base) & (second < self.base)
        return ops.where(known, self.numbers(first * self.base + second), 0)

    @dispatch_by_target
    def numbers(self, codes):
        """The numbers of pairs, 0 for one that is not known, by `first * base + second`."""
        rows = ops.searchsorted(self.codes, ops.reshape(codes, (-1,)))
        rows = ops.reshape(ops.minimum(rows, len(self.codes) - 1), ops.shape(codes))
        found = ops.take(self.codes, rows) == codes
        return ops.where(found, ops.cast(rows, "int32") + 1, 0)

    def compute_output_spec(self, inputs):
        batch, timesteps = inputs.shape
        return keras.KerasTensor((batch, timesteps and timesteps + 1), "int32")

    def get_config(self):
        return {**super().get_config(), "pairs": self.pairs}


@keras.saving.register_keras_serializable(package="keras_seq")
class BigramEmbedding(keras.layers.Layer):
    """Embeds, at each step, the pair with the token before and the pair with the token after.

    Where tokens are characters, a pair often is a word, which a table remembers better than a
    recurrent state must infer it (Pei, Ge & Chang 2014). Pairs that are not known share a vector.

    Args:
        pairs: As of `Bigrams`.
        output_dim: Width of the vector of a pair.
        embeddings_initializer: Of the vectors.

    Input: as of `Bigrams`. Output: `(batch, timesteps, 2 * output_dim)`.
    """

    def __init__(self, pairs, output_dim, embeddings_initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        self.bigrams, self.output_dim = Bigrams(pairs), output_dim
        # The first row is that of pairs that are not known.
        self.table = keras.layers.Embedding(
            len(self.bigrams.codes) + 1,
            output_dim,
            embeddings_initializer,
            dtype=self.dtype_policy,
            name="table",
        )

    def build(self, input_shape):
        self.table.build(input_shape)

    def call(self, inputs):
        vectors = self.table(self.bigrams(inputs))
        return ops.concatenate([vectors[:, :-1], vectors[:, 1:]], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape, 2 * self.output_dim)

    def get_config(self):
        initializer = keras.initializers.serialize(self.table.embeddings_initializer)
        return {
            **super().get_config(),
            "pairs": self.bigrams.pairs,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializer,
        }

"""N-grams of tokens as features of a model that reads whole texts."""

from typing import Any

import keras
from keras import ops

from keras_seq._internal.ranges import PositiveInt, Probability, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.text.hashed_ngram_embedding import HashedNgramEmbedding


@keras.saving.register_keras_serializable(package="keras_seq")
class NgramFeatures(keras.layers.Layer):
    """Hashed embeddings of the n-grams that end with a token, and of those that begin with it.

    There is one `HashedNgramEmbedding` per direction. `CausalNgramFeatures` has only n-grams that
    end with a token.

    >>> import numpy as np
    >>> from keras_seq.layers import NgramFeatures
    >>> features = NgramFeatures(3, num_buckets=16, output_dim=5)
    >>> tuple(features(np.array([[2, 3, 4, 0]])).shape)  # 2 directions, n = 2 and 3
    (1, 4, 20)

    Args:
        max_n: Number of tokens of the longest n-grams, at least 2.
        num_buckets: Number of vectors per length and direction, a power of two.
        output_dim: Width of the vector of an n-gram.
        dropout: Probability of dropping the n-grams of one length at a time step in training,
            from 0 to 1.

    Call arguments:
        ids: Ids of tokens `(batch, timesteps)`, 0 for padding.
        training: Whether dropout applies.

    Returns:
        `(batch, timesteps, 2 * (max_n - 1) * output_dim)`: the n-grams that end with the token,
        then those that begin with it, each from short to long.

    Raises:
        InputError: If `max_n` is less than 2, or `num_buckets` is not a power of two.
    """

    def __init__(
        self,
        max_n: PositiveInt,
        num_buckets: PositiveInt = 2**14,
        output_dim: PositiveInt = 32,
        dropout: Probability = 0.3,
        **kwargs: Any,
    ) -> None:
        check_arguments(NgramFeatures, locals())
        super().__init__(**kwargs)
        sizes, policy = (max_n, num_buckets, output_dim, dropout), self.dtype_policy
        self.before = HashedNgramEmbedding(*sizes, dtype=policy, name="before")
        self.after = HashedNgramEmbedding(*sizes, dtype=policy, name="after")

    def build(self, ids_shape: Shape) -> None:
        for layer in (self.before, self.after):
            layer.build((*ids_shape, layer.max_n))

    def call(self, ids: Tensor, training: bool | None = False) -> Tensor:
        before = self.before(self.before.make_windows(ids), training=training)
        windows = self.after.make_windows(ops.flip(ids, axis=1))
        after = ops.flip(self.after(windows, training=training), axis=1)
        return ops.concatenate([before, after], axis=-1)

    def compute_output_shape(self, ids_shape: Shape) -> Shape:
        return (*ids_shape, 2 * (self.before.max_n - 1) * self.before.output_dim)

    def compute_output_spec(self, ids: Tensor, training: bool | None = False) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(ids.shape), self.compute_dtype)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "max_n": self.before.max_n,
            "num_buckets": self.before.num_buckets,
            "output_dim": self.before.output_dim,
            "dropout": self.before.dropout,
        }

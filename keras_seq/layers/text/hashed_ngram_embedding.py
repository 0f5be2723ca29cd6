"""Embedding of n-grams of tokens by hashing."""

from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, Probability, Range, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight


@keras.saving.register_keras_serializable(package="keras_seq")
class HashedNgramEmbedding(keras.layers.Layer):
    """Embeddings of the n-grams of 2 to `max_n` tokens that end at a time step.

    Each n-gram is hashed to one of `num_buckets` vectors, which several n-grams may share (Mikolov
    et al. 2011; Bojanowski et al. 2017). Each n has its own table. The tables memorize which tokens
    follow a frequent n-gram, so the recurrent layers need not.

    >>> import numpy as np
    >>> from keras_seq.layers import HashedNgramEmbedding
    >>> layer = HashedNgramEmbedding(3, num_buckets=16, output_dim=5)
    >>> windows = layer.make_windows(np.array([[2, 3, 4, 2]]))
    >>> tuple(windows.shape), tuple(layer(windows).shape)
    ((1, 4, 3), (1, 4, 10))

    Args:
        max_n: Number of tokens of the longest n-grams, at least 2.
        num_buckets: Number of vectors per length, a power of two.
        output_dim: Width of the vector of an n-gram.
        dropout: Probability of dropping the n-grams of one length at a time step in training,
            from 0 to 1. It reduces overfitting to frequent n-grams.
        seed: Random seed for dropout.

    Call arguments:
        window: Ids of the last `max_n` tokens, the newest first, `(..., max_n)`, as `make_windows`
            returns them.
        training: Whether dropout applies.

    Returns:
        `(..., (max_n - 1) * output_dim)`, the shortest n-grams first.

    Weights: `tables` `((max_n - 1) * num_buckets, output_dim)`.

    Raises:
        InputError: If `max_n` is less than 2, or `num_buckets` is not a power of two.
    """

    def __init__(
        self,
        max_n: Annotated[int, Range(2, is_integer=True)],
        num_buckets: int,
        output_dim: PositiveInt,
        dropout: Probability = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(HashedNgramEmbedding, locals())
        super().__init__(**kwargs)
        if num_buckets < 2 or num_buckets & (num_buckets - 1):
            raise InputError(
                f"HashedNgramEmbedding: num_buckets must be a power of two, got {num_buckets}."
            )
        self.max_n, self.num_buckets, self.output_dim = max_n, num_buckets, output_dim
        self.dropout, self.seed = dropout, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Odd multipliers are invertible modulo 2 ** 32: different ids stay different.
        multipliers = np.random.default_rng(0).integers(2**20, 2**30, max_n) * 2 + 1
        self.hash_multipliers = [int(multiplier) for multiplier in multipliers.astype("int32")]

    def build(self, input_shape: Shape) -> None:
        self.tables = self.add_weight(
            shape=((self.max_n - 1) * self.num_buckets, self.output_dim),
            name="tables",
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )

    def make_windows(self, inputs: Tensor) -> Tensor:
        """Return the last `max_n` tokens at each time step, the newest first.

        Args:
            inputs: Ids `(batch, timesteps)`, 0 for padding. Zeros also precede the first token.

        Returns:
            `(batch, timesteps, max_n)`.
        """
        ids = ops.pad(ops.cast(inputs, "int32"), [[0, 0], [self.max_n - 1, 0]])
        last = self.max_n - 1
        return ops.stack([ids[:, last - n : -n or None] for n in range(self.max_n)], axis=-1)

    def call(self, window: Tensor, training: bool | None = False) -> Tensor:
        embeddings, mixed = [], (window[..., 0] + 1) * self.hash_multipliers[0]
        for n in range(1, self.max_n):
            mixed = mixed + (window[..., n] + 1) * self.hash_multipliers[n]
            hashed = ops.bitwise_xor(mixed, ops.right_shift(mixed, 15))
            row = ops.mod(hashed, self.num_buckets) + (n - 1) * self.num_buckets
            embeddings.append(ops.take(self.tables, row, axis=0))
        vectors = ops.stack(embeddings, axis=-2)
        if training and self.dropout:
            shape = (*ops.shape(vectors)[:-1], 1)
            keep = keras.random.uniform(shape, seed=self.seed_generator) >= self.dropout
            vectors = ops.where(keep, vectors / (1 - self.dropout), 0)
        return ops.reshape(vectors, (*ops.shape(window)[:-1], (self.max_n - 1) * self.output_dim))

    def named_weights(self, tokens: AxisNames) -> list[NamedWeight]:
        """Return the weights that depend on the ids of tokens.

        Args:
            tokens: Tokens in the order of their ids.
        """
        return [NamedWeight(self.tables, (None, None), hashed=(tokens,))]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], (self.max_n - 1) * self.output_dim)

    def compute_output_spec(
        self, window: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(window.shape), self.compute_dtype)

    def get_config(self) -> Config:
        names = ("max_n", "num_buckets", "output_dim", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

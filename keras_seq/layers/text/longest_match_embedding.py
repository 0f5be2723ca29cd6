"""Embedding of the token that followed the longest earlier match of the context."""

from __future__ import annotations

import itertools
from typing import Any

import keras
from keras import ops

from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.text.incremental import HistoryLayer

MATCH_LENGTHS = (2, 4, 8)
"""Minimum length of a match for each table of vectors, in tokens."""


@keras.saving.register_keras_serializable(package="keras_seq")
class LongestMatchEmbedding(HistoryLayer):
    """Match model: embedding of the token after the longest earlier match (Mahoney 2005).

    At each time step the layer finds the longest earlier match of the last tokens, and embeds the
    token that followed it. Of equally long matches it takes the latest. Matches of at least 2, 4
    and 8 tokens have a table of vectors each. The layer helps to repeat names or bars of music,
    which recurrent layers would have to memorize.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import LongestMatchEmbedding
    >>> vectors = LongestMatchEmbedding(5, output_dim=2)(np.array([[2, 3, 4, 2, 3]]))
    >>> [bool(step.any()) for step in ops.convert_to_numpy(vectors)[0]]
    [False, False, False, False, True]

    Args:
        vocab_size: Number of ids, `TextEncoder.vocab_size`.
        output_dim: Width of the vectors.

    Call arguments:
        inputs: Ids of tokens `(batch, timesteps)`, 0 for padding at the end.
        style: Not used.

    Returns:
        `(batch, timesteps, output_dim)`, zeros where fewer than two tokens match. The memory
        of a call grows with `batch * timesteps ** 2`.

    Weights: `table` `(3 * vocab_size, output_dim)`.

    Raises:
        InputError: If an argument is not positive.
    """

    def __init__(self, vocab_size: PositiveInt, output_dim: PositiveInt, **kwargs: Any) -> None:
        check_arguments(LongestMatchEmbedding, locals())
        super().__init__(**kwargs)
        self.vocab_size, self.output_dim = vocab_size, output_dim

    def build(self, input_shape: Shape) -> None:
        self.table = self.add_weight(
            shape=(len(MATCH_LENGTHS) * self.vocab_size, self.output_dim),
            name="table",
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )

    def call(self, inputs: Tensor, style: Tensor | None = None) -> Tensor:
        ids = ops.cast(inputs, "int32")
        timesteps = ops.shape(ids)[1]
        t = ops.arange(timesteps)
        is_equal = (ids[:, :, None] == ids[:, None, :]) & (ids > 0)[:, None, :]
        is_equal = is_equal & (t[:, None] > t)
        is_match, length = is_equal, ops.cast(is_equal, "int32")
        for _ in range(MATCH_LENGTHS[-1] - 1):
            is_match = ops.pad(is_match[:, :-1, :-1], [[0, 0], [1, 0], [1, 0]]) & is_equal
            length = length + ops.cast(is_match, "int32")
        return self._embed(ids, length, timesteps)

    def embed_position(self, ids: Tensor, position: Tensor) -> Tensor:
        """Return the vectors of one time step, `(batch, output_dim)`.

        Args:
            ids: Ids `(batch, timesteps)`. Those after the time step are not read.
            position: Index of the time step in each sequence, `(batch,)`.
        """
        ids, position = (ops.cast(ops.convert_to_tensor(a), "int32") for a in (ids, position))
        timesteps = ops.shape(ids)[1]
        t, length = ops.arange(timesteps), ops.zeros_like(ids)
        is_match = t < position[:, None]
        for n in range(MATCH_LENGTHS[-1]):
            earlier = ops.pad(ids, [[0, 0], [n, 0]])[:, :timesteps]
            current = ops.take_along_axis(ids, ops.maximum(position - n, 0)[:, None], axis=1)
            is_match = is_match & (earlier == current) & (earlier > 0) & (position >= n)[:, None]
            length = length + ops.cast(is_match, "int32")
        return self._embed(ids, length[:, None], timesteps)[:, 0]

    def _embed(self, ids: Tensor, length: Tensor, timesteps: Tensor) -> Tensor:
        """Return the vectors `(batch, steps, output_dim)`.

        Args:
            ids: `(batch, timesteps)`.
            length: Length of the match that ends at each earlier position, in tokens,
                `(batch, steps, timesteps)`.
            timesteps: Number of time steps.
        """
        best = ops.argmax(length * timesteps + ops.arange(timesteps), axis=-1)
        best = ops.cast(best, "int32")
        longest = ops.take_along_axis(length, best[:, :, None], axis=2)[:, :, 0]
        next_ids = ops.take_along_axis(ids, ops.minimum(best + 1, timesteps - 1), axis=1)
        level = sum(ops.cast(longest >= min_length, "int32") for min_length in MATCH_LENGTHS)
        row = ops.maximum(level - 1, 0) * self.vocab_size + next_ids
        return ops.where((level > 0)[:, :, None], ops.take(self.table, row, axis=0), 0)

    def named_weights(self, tokens: AxisNames) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens.

        Args:
            tokens: Tokens in the order of their ids.
        """
        names = list(itertools.product(MATCH_LENGTHS, tokens.names))
        return [NamedWeight(self.table, (AxisNames("matches", names), None))]

    def compute_output_shape(self, input_shape: Shape, style_shape: Shape | None = None) -> Shape:
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs: Tensor, style: Tensor | None = None) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> Config:
        arguments = {"vocab_size": self.vocab_size, "output_dim": self.output_dim}
        return {**super().get_config(), **arguments}

"""N-grams of the last tokens as features of a language model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, Probability, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.text.hashed_ngram_embedding import HashedNgramEmbedding
from keras_seq.layers.text.incremental import IncrementalLayer


@keras.saving.register_keras_serializable(package="keras_seq")
class CausalNgramFeatures(IncrementalLayer):
    """Hashed embeddings of the n-grams that end with a token (Mikolov et al. 2011).

    See `HashedNgramEmbedding`. With styles (labels on which a language model is conditioned), short
    n-grams have a second vector per style: its id is hashed as if it were the newest token.

    >>> import numpy as np
    >>> from keras_seq.layers import CausalNgramFeatures
    >>> features = CausalNgramFeatures(4, num_buckets=16, output_dim=5)
    >>> tuple(features(np.array([[2, 3, 4, 0]])).shape)  # n = 2, 3 and 4
    (1, 4, 15)

    Args:
        max_n: Number of tokens of the longest n-grams, at least 2.
        num_buckets: Number of vectors per length, a power of two.
        output_dim: Width of the vector of an n-gram.
        dropout: Probability of dropping the n-grams of one length at a time step in training,
            from 0 to 1.
        max_style_n: Number of tokens of the longest n-grams that have a vector per style, from 0
            (none) to `max_n`.

    Call arguments:
        ids: Ids of tokens `(batch, timesteps)`, 0 for padding.
        style: Id of the style of each sequence `(batch,)`, required if `max_style_n` is positive.
        training: Whether dropout applies.

    Returns:
        `(batch, timesteps, (max_n - 1 + max_style_n) * output_dim)`: the n-grams, shortest first,
        then the n-grams with their style.

    Raises:
        InputError: If `max_n` is less than 2 or less than `max_style_n`, if `num_buckets` is not a
            power of two, or if a required style is missing.
    """

    state_names = ("history_window",)

    def __init__(
        self,
        max_n: PositiveInt,
        num_buckets: PositiveInt = 2**15,
        output_dim: PositiveInt = 32,
        dropout: Probability = 0.5,
        max_style_n: int = 0,
        **kwargs: Any,
    ) -> None:
        check_arguments(CausalNgramFeatures, locals())
        super().__init__(**kwargs)
        if not 0 <= max_style_n <= max_n:
            raise InputError(f"max_style_n must be from 0 to max_n, {max_n}, got {max_style_n}.")
        sizes, policy = (num_buckets, output_dim, dropout), self.dtype_policy
        self.max_n, self.max_style_n = max_n, max_style_n
        self.plain = HashedNgramEmbedding(max_n, *sizes, dtype=policy, name="plain")
        self.styled = None
        if max_style_n:
            self.styled = HashedNgramEmbedding(max_style_n + 1, *sizes, dtype=policy, name="styled")

    def build(self, ids_shape: Shape, style_shape: Shape | None = None) -> None:
        for layer in filter(None, (self.plain, self.styled)):
            layer.build((*ids_shape, layer.max_n))

    def call(
        self, ids: Tensor, style: Tensor | None = None, training: bool | None = False
    ) -> Tensor:
        if style is not None:
            style = ops.cast(style, "int32")[:, None] * ops.ones_like(ops.cast(ids, "int32"))
        return self._vectors(self.plain.make_windows(ids), style, training)

    def _vectors(
        self, windows: Tensor, style: Tensor | None, training: bool | None = False
    ) -> Tensor:
        """Return the vectors of windows `(..., max_n)` in the styles `(...)`."""
        style = self._check_style(style)
        plain = self.plain(windows, training=training)
        if self.styled is None:
            return plain
        windows = ops.concatenate([style[..., None], windows[..., : self.max_style_n]], axis=-1)
        return ops.concatenate([plain, self.styled(windows, training=training)], axis=-1)

    def _check_style(self, style: Tensor | None) -> Tensor:
        if self.styled is not None and style is None:
            raise InputError(
                f"{self.name} has vectors per style (max_style_n={self.max_style_n}), but got no "
                "style: pass one, or use max_style_n=0."
            )
        return style

    def initial_state(
        self, ids: Tensor, lengths: Tensor, max_length: int | Tensor
    ) -> dict[str, Tensor]:
        """Return the state: `history_window` `(batch, max_n - 1)`, tokens before the last one."""
        windows = self.plain.make_windows(ids)
        last = ops.cast(lengths, "int32")[:, None, None] - 1
        return {"history_window": ops.take_along_axis(windows, last, axis=1)[:, 0, 1:]}

    def step(
        self, ids: Tensor, state: dict[str, Tensor], style: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the vectors of one time step, and the state after it."""
        ids = ops.cast(ids, "int32")
        windows = ops.concatenate([ids[:, None], state["history_window"]], axis=1)
        return self._vectors(windows, style), {"history_window": windows[:, :-1]}

    def compute_output_shape(self, ids_shape: Shape, style_shape: Shape | None = None) -> Shape:
        return (*ids_shape, (self.max_n - 1 + self.max_style_n) * self.plain.output_dim)

    def compute_output_spec(
        self, ids: Tensor, style: Tensor | None = None, training: bool | None = False
    ) -> keras.KerasTensor:
        self._check_style(style)
        return keras.KerasTensor(self.compute_output_shape(ids.shape), self.compute_dtype)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "max_n": self.max_n,
            "num_buckets": self.plain.num_buckets,
            "output_dim": self.plain.output_dim,
            "dropout": self.plain.dropout,
            "max_style_n": self.max_style_n,
        }

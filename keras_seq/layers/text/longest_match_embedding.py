"""Embedding of the token that followed the longest earlier match of the context."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.layers.text.incremental import IncrementalLayer

LEVELS = (2, 4, 8)
"""Numbers of tokens that must match for each of the vectors."""


@keras.saving.register_keras_serializable(package="keras_seq")
class LongestMatchEmbedding(IncrementalLayer):
    """Match model: finds the longest earlier match of the last tokens, and embeds what followed it.

    The match is the earlier place where the longest run of tokens equals the run up to this step;
    of equally long runs it is the last. The token that followed it has a vector for each of three
    lengths: 2, 4 and 8 tokens that match, or more. Tunes repeat their bars, texts their names. A
    recurrent state has to remember all of it; this layer looks it up (Mahoney 2005).

    >>> import numpy as np
    >>> from keras_seq.layers import LongestMatchEmbedding
    >>> vectors = LongestMatchEmbedding(5, output_dim=2)(np.array([[2, 3, 4, 2, 3]]))
    >>> [bool(step.any()) for step in vectors.numpy()[0]]
    [False, False, False, False, True]

    Args:
        vocab_size: Number of ids, `TextEncoder.vocab_size`.
        output_dim: Width of the vectors.

    Call arguments:
        inputs: Ids of tokens `(batch, timesteps)`, 0 for padding at the end.
        style: Not used.

    Returns:
        `(batch, timesteps, output_dim)`, zeros where no two tokens match. The call takes memory for
        `batch * timesteps ** 2` numbers.

    Weights: `table` (lengths * vocab_size, output_dim).

    Raises:
        InputError: If an argument is not positive.
    """

    state_names = ("history", "position")
    history_names = ("history",)

    def __init__(self, vocab_size: int, output_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if vocab_size < 1 or output_dim < 1:
            raise InputError(
                "LongestMatchEmbedding: vocab_size and output_dim must be positive, got "
                f"{vocab_size} and {output_dim}."
            )
        self.vocab_size, self.output_dim = vocab_size, output_dim

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(
            shape=(len(LEVELS) * self.vocab_size, self.output_dim),
            name="table",
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )

    def call(self, inputs: Any, style: Any = None) -> Any:
        ids = ops.cast(inputs, "int32")
        timesteps = ops.shape(ids)[1]
        t = ops.arange(timesteps)
        agree = (ids[:, :, None] == ids[:, None, :]) & (ids > 0)[:, None, :]
        agree = agree & (t[:, None] > t)
        run, length = agree, ops.cast(agree, "int32")
        for _ in range(LEVELS[-1] - 1):
            run = ops.pad(run[:, :-1, :-1], [[0, 0], [1, 0], [1, 0]]) & agree
            length = length + ops.cast(run, "int32")
        return self._vectors(ids, length, timesteps)

    def initial_state(self, ids: Any, lengths: Any, max_length: Any) -> dict[str, Any]:
        """Return the state: ids with room for `max_length` more, and the position of the last."""
        history = ops.pad(ops.cast(ids, "int32"), [[0, 0], [0, max_length]])
        return {"history": history, "position": ops.cast(lengths, "int32") - 1}

    def step(
        self, ids: Any, state: dict[str, Any], style: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """Return the vectors of one time step, and the state after it."""
        history, position = state["history"], state["position"]
        is_current = ops.arange(ops.shape(history)[1]) == position[:, None]
        history = ops.where(is_current, ops.cast(ids, "int32")[:, None], history)
        return self.at(history, position), {"history": history, "position": position + 1}

    def at(self, ids: Any, place: Any) -> Any:
        """Return the vectors of one time step `(batch, output_dim)`.

        Args:
            ids: As in the call; what is behind the step does not count.
            place: Number of the step in each sequence `(batch,)`.
        """
        ids, place = (ops.cast(ops.convert_to_tensor(a), "int32") for a in (ids, place))
        timesteps = ops.shape(ids)[1]
        t, length = ops.arange(timesteps), ops.zeros_like(ids)
        run = t < place[:, None]
        for n in range(LEVELS[-1]):
            before = ops.pad(ids, [[0, 0], [n, 0]])[:, :timesteps]
            newest = ops.take_along_axis(ids, ops.maximum(place - n, 0)[:, None], axis=1)
            run = run & (before == newest) & (before > 0) & (place >= n)[:, None]
            length = length + ops.cast(run, "int32")
        return self._vectors(ids, length[:, None], timesteps)[:, 0]

    def _vectors(self, ids: Any, length: Any, timesteps: Any) -> Any:
        """Return the vectors, given the length of the match at `(batch, steps, places)`."""
        best = ops.argmax(length * timesteps + ops.arange(timesteps), axis=-1)
        best = ops.cast(best, "int32")
        longest = ops.take_along_axis(length, best[:, :, None], axis=2)[:, :, 0]
        followed = ops.take_along_axis(ids, ops.minimum(best + 1, timesteps - 1), axis=1)
        level = sum(ops.cast(longest >= least, "int32") for least in LEVELS)
        row = ops.maximum(level - 1, 0) * self.vocab_size + followed
        return ops.where((level > 0)[:, :, None], ops.take(self.table, row, axis=0), 0)

    def compute_output_shape(self, input_shape: Any, style_shape: Any = None) -> Any:
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs: Any, style: Any = None) -> Any:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"vocab_size": self.vocab_size, "output_dim": self.output_dim}
        return {**super().get_config(), **own}

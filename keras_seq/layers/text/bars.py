"""Features of tokens with durations, such as music: the position in the bar, and earlier bars."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.text.incremental import HistoryLayer


class BarLayer(HistoryLayer):
    """Base class of features that depend on the durations of tokens.

    Args:
        durations: As in `BarPositionEmbedding`.
        bar_ends: As in `BarPositionEmbedding`.
        bar_lengths: As in `BarPositionEmbedding`.
        output_dim: Width of the vectors.

    Raises:
        InputError: As `BarPositionEmbedding`.
    """

    def __init__(
        self,
        durations: Sequence[Sequence[int]],
        bar_ends: Sequence[int],
        bar_lengths: dict[int, int],
        output_dim: PositiveInt,
        **kwargs: Any,
    ) -> None:
        check_arguments(BarLayer, locals())
        super().__init__(**kwargs)
        widths = {len(voice) for voice in durations}
        if len(widths) != 1:
            raise InputError(
                "durations must have one row per voice, all of the same length, got rows of "
                f"{sorted(widths)} numbers."
            )
        table = np.array(durations)
        if table.dtype.kind not in "iu" or (table < 0).any():
            raise InputError(f"durations must be integers of at least 0, got {table.tolist()}.")
        self.vocab_size, self.output_dim = table.shape[1], output_dim
        # Keras saves the keys of a dict as strings.
        lengths = {int(token): int(length) for token, length in bar_lengths.items()}
        for token in (*bar_ends, *lengths):
            if not 0 <= token < self.vocab_size:
                raise InputError(f"The vocabulary has {self.vocab_size} ids, got the id {token}.")
        if min(lengths.values(), default=1) < 1:
            raise InputError(f"bar_lengths must be at least 1, got {[*lengths.values()]}.")
        self.durations = table.astype("int32").T
        self.is_bar_end = np.isin(np.arange(self.vocab_size), [*bar_ends])
        self.bar_lengths = np.zeros(self.vocab_size, "int32")
        self.bar_lengths[[*lengths]] = [*lengths.values()]

    def call(self, inputs: Tensor, style: Tensor | None = None) -> Tensor:
        ids = ops.cast(inputs, "int32")
        steps = ops.arange(ops.shape(ids)[1])
        return self._embed(ids, ops.broadcast_to(steps, ops.shape(ids)))

    def embed_position(self, ids: Tensor, position: Tensor) -> Tensor:
        """Return the vectors of one time step, `(batch, output_dim)`.

        Args:
            ids: Ids `(batch, timesteps)`. Those after the time step are not read.
            position: Index of the time step in each sequence, `(batch,)`.
        """
        ids, position = (ops.cast(ops.convert_to_tensor(a), "int32") for a in (ids, position))
        return self._embed(ids, position[:, None])[:, 0]

    def _embed(self, ids: Tensor, steps: Tensor) -> Tensor:
        """Return the vectors at some time steps.

        Args:
            ids: `(batch, timesteps)`.
            steps: Indices of time steps, `(batch, steps)`.
        """
        raise NotImplementedError

    def _total_times(self, ids: Tensor) -> Tensor:
        """Return the time since the beginning in each voice, `(batch, timesteps, voices)`."""
        durations = ops.take(self.durations, ids, axis=0)
        return ops.cast(ops.cumsum(durations, axis=1), "int32")

    def _bar_length(self, ids: Tensor, steps: Tensor) -> Tensor:
        """Return the length of a bar at some time steps `(batch, steps)`, 0 if it is unknown."""
        lengths = ops.take(self.bar_lengths, ids)
        return _take_or_zero(lengths, _find_last((lengths > 0)[:, None], steps))

    def _add_table(self, name: str, num_rows: int) -> Tensor:
        return self.add_weight(
            shape=(num_rows, self.output_dim),
            name=name,
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )

    def compute_output_spec(self, inputs: Tensor, style: Tensor | None = None) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> Config:
        (meters,) = np.nonzero(self.bar_lengths)
        return {
            **super().get_config(),
            "durations": self.durations.T.tolist(),
            "bar_ends": np.nonzero(self.is_bar_end)[0].tolist(),
            "bar_lengths": {int(token): int(self.bar_lengths[token]) for token in meters},
            "output_dim": self.output_dim,
        }


@keras.saving.register_keras_serializable(package="keras_seq")
class BarPositionEmbedding(BarLayer):
    """Embedding of the position in the bar of music, and of the number of the bar.

    Three learned vectors are added: for the elapsed time of the bar, for its remaining time, and
    for its number modulo `num_bars`. With several voices, the one that ends first gives the time.

    >>> import numpy as np
    >>> from keras_seq.layers import BarPositionEmbedding
    >>> tokens = ["", "M:2/4", "|", "C:1/2", "C:1"]
    >>> layer = BarPositionEmbedding([[0, 0, 0, 1, 2]], [2], {1: 4}, output_dim=3)
    >>> tuple(layer(np.array([[1, 4, 4, 2, 3, 3, 4, 2]])).shape)
    (1, 8, 3)

    Args:
        durations: Duration of each token by voice, `(voices, vocab_size)`, as an integer in any
            unit. A token of no voice, such as a bar line, has the duration 0.
        bar_ends: Ids of the tokens that end a bar.
        bar_lengths: Mapping from the ids of tokens that announce a meter to the length of its bars,
            in the unit of `durations`.
        output_dim: Width of the vectors.
        max_time: Largest time that has a vector of its own, in the unit of `durations`.
        num_bars: Number of bars after which their vectors are used again.

    Call arguments:
        inputs: Ids of tokens `(batch, timesteps)`, 0 for padding at the end.
        style: Not used.

    Returns:
        `(batch, timesteps, output_dim)`. The memory of a call grows with `batch * timesteps ** 2`.

    Weights: `elapsed` and `remaining` with one row per time, and `bars` with one per bar.

    Raises:
        InputError: If a duration is negative or not an integer, if the voices have different
            numbers of tokens, if an id is not in the vocabulary, or if another number is not
            positive.
    """

    def __init__(
        self,
        durations: Sequence[Sequence[int]],
        bar_ends: Sequence[int],
        bar_lengths: dict[int, int],
        output_dim: PositiveInt,
        max_time: PositiveInt = 384,
        num_bars: PositiveInt = 16,
        **kwargs: Any,
    ) -> None:
        check_arguments(BarPositionEmbedding, locals())
        super().__init__(durations, bar_ends, bar_lengths, output_dim, **kwargs)
        self.max_time, self.num_bars = max_time, num_bars

    def build(self, input_shape: Shape) -> None:
        self.elapsed = self._add_table("elapsed", self.max_time + 1)
        # Row 0 is of an unknown meter, and row 1 of a bar that is too long.
        self.remaining = self._add_table("remaining", self.max_time + 3)
        # Row 0 is of the time before the first end of a bar, which may be an upbeat.
        self.bars = self._add_table("bars", self.num_bars + 1)

    def _embed(self, ids: Tensor, steps: Tensor) -> Tensor:
        times = ops.min(self._total_times(ids), axis=-1)
        is_end = ops.take(self.is_bar_end, ids)
        start = _take_or_zero(times, _find_last(is_end[:, None], steps))
        elapsed = ops.take_along_axis(times, steps, axis=1) - start
        bar_length = self._bar_length(ids, steps)
        remaining = ops.clip(bar_length - elapsed, -1, self.max_time) + 2
        num_bars = ops.cast(ops.cumsum(ops.cast(is_end, "int32"), axis=1), "int32")
        num_bars = ops.take_along_axis(num_bars, steps, axis=1)
        bars = (num_bars - 1) % self.num_bars + 1
        rows = (
            (self.elapsed, ops.minimum(elapsed, self.max_time)),
            (self.remaining, ops.where(bar_length > 0, remaining, 0)),
            (self.bars, ops.where(num_bars > 0, bars, 0)),
        )
        return sum(ops.take(table, row, axis=0) for table, row in rows)

    def compute_output_shape(self, input_shape: Shape, style_shape: Shape | None = None) -> Shape:
        return (*input_shape, self.output_dim)

    def get_config(self) -> Config:
        return {**super().get_config(), "max_time": self.max_time, "num_bars": self.num_bars}


@keras.saving.register_keras_serializable(package="keras_seq")
class EarlierBarsEmbedding(BarLayer):
    """Embeddings of the tokens at the same time in earlier bars.

    After each time step the layer looks for the token that began one, two, four and eight bar
    lengths before the next token. Tunes repeat their bars with variations, and
    `LongestMatchEmbedding` loses a repetition at its first variation.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import EarlierBarsEmbedding
    >>> tokens = ["", "M:2/4", "|", "C:1", "D:1"]
    >>> layer = EarlierBarsEmbedding([[0, 0, 0, 2, 2]], [2], {1: 4}, output_dim=2, distances=[1])
    >>> vectors = layer(np.array([[1, 3, 4, 2, 3, 3]]))
    >>> [bool(step.any()) for step in ops.convert_to_numpy(vectors)[0]]
    [False, False, False, True, True, True]

    Args:
        durations: As in `BarPositionEmbedding`.
        bar_ends: As in `BarPositionEmbedding`.
        bar_lengths: As in `BarPositionEmbedding`.
        output_dim: Width of the vectors of one distance.
        distances: Numbers of bars to look back.

    Call arguments:
        inputs: Ids of tokens `(batch, timesteps)`, 0 for padding at the end.
        style: Not used.

    Returns:
        `(batch, timesteps, len(distances) * output_dim)`, zeros where no token began at that time.
        The memory of a call grows with `batch * timesteps ** 2`.

    Weights: `table` `(len(distances) * vocab_size, output_dim)`.

    Raises:
        InputError: As `BarPositionEmbedding`, or if a distance is not positive.
    """

    def __init__(
        self,
        durations: Sequence[Sequence[int]],
        bar_ends: Sequence[int],
        bar_lengths: dict[int, int],
        output_dim: PositiveInt,
        distances: Sequence[int] = (1, 2, 4, 8),
        **kwargs: Any,
    ) -> None:
        super().__init__(durations, bar_ends, bar_lengths, output_dim, **kwargs)
        if not distances or min(distances) < 1:
            raise InputError(f"distances must be numbers of at least 1, got {[*distances]}.")
        self.distances = [*distances]

    def build(self, input_shape: Shape) -> None:
        self.table = self._add_table("table", len(self.distances) * self.vocab_size)

    def _embed(self, ids: Tensor, steps: Tensor) -> Tensor:
        bar_length = self._bar_length(ids, steps)
        # The sum over voices tells apart the tokens that begin together.
        times = ops.sum(self._total_times(ids), axis=-1)
        # The time is the same before and after the end of a bar.
        is_instant = ops.take(self.durations.sum(axis=1) == 0, ids)
        keys = ops.cast(2 * times + ops.cast(is_instant, "int32"), "int32")
        key = ops.take_along_axis(keys, steps, axis=1)
        num_voices, timesteps, vectors = self.durations.shape[1], ops.shape(ids)[1], []
        for number, distance in enumerate(self.distances):
            wanted = key - 2 * num_voices * distance * bar_length
            last = _find_last(keys[:, None] == wanted[:, :, None], steps)
            next_ids = ops.take_along_axis(ids, ops.minimum(last + 1, timesteps - 1), axis=1)
            vector = ops.take(self.table, number * self.vocab_size + next_ids, axis=0)
            is_found = (last >= 0) & (bar_length > 0)
            vectors.append(ops.where(is_found[:, :, None], vector, 0))
        return ops.concatenate(vectors, axis=-1)

    def named_weights(self, tokens: AxisNames) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens.

        Args:
            tokens: Tokens in the order of their ids.
        """
        names = list(itertools.product(self.distances, tokens.names))
        return [NamedWeight(self.table, (AxisNames("earlier bars", names), None))]

    def compute_output_shape(self, input_shape: Shape, style_shape: Shape | None = None) -> Shape:
        return (*input_shape, len(self.distances) * self.output_dim)

    def get_config(self) -> Config:
        return {**super().get_config(), "distances": self.distances}


def _find_last(is_set: Tensor, steps: Tensor) -> Tensor:
    """Return the last place up to each time step where a condition holds, -1 if there is none.

    Args:
        is_set: Condition `(batch, steps, timesteps)`, or `(batch, 1, timesteps)` for all steps.
        steps: Indices of time steps, `(batch, steps)`.

    Returns:
        Indices `(batch, steps)`.
    """
    places = ops.arange(ops.shape(is_set)[-1])
    last = ops.max(ops.where(is_set & (places <= steps[:, :, None]), places, -1), axis=-1)
    return ops.cast(last, "int32")


def _take_or_zero(values: Tensor, places: Tensor) -> Tensor:
    """Return the values `(batch, timesteps)` at places `(batch, steps)`, 0 for negative ones."""
    taken = ops.take_along_axis(values, ops.maximum(places, 0), axis=1)
    return ops.where(places >= 0, taken, 0)

"""Joint n-gram model of pairs of sequences, which ranks the outputs of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.portable import while_loop
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Array, ArrayLike, Config, Shape, Tensor
from keras_seq.layers.text.kneser_ney import MIN_PROBABILITY, KneserNey
from keras_seq.text.alignment import MAX_CHUNK, MAX_TABLE, align

IMPOSSIBLE = -1e3
"""Log probability of pairs that cannot be aligned."""
MIN_ALIGNED = 0.5
"""Smallest fraction of the pairs that must be aligned."""
INITIAL_WEIGHTS = (0.5, 0.5)
"""Weights of network and counts before they are fitted."""
END = 1
"""Id of the unit before the first and after the last one of each pair."""


@keras.saving.register_keras_serializable(package="keras_seq")
class JointNgramModel(keras.layers.Layer):
    """N-gram model over units of a source token and 0 to 2 target tokens (Bisani & Ney 2008).

    The pairs that it counts are aligned by `keras_seq.text.alignment.align`. An interpolated
    Kneser-Ney model of the units gives the joint probability of a pair. Of the alignments of a pair
    the best `num_paths` are kept at each source token.

    A `Seq2Seq` with such a layer ranks the hypotheses of its beam search by a q + b p, where q is
    the score of the network and p the logarithm of the joint probability.
    `Seq2Seq.fit_interpolation` fits the weights a and b. Counts and networks make different
    mistakes (Rao et al. 2015).

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.layers import JointNgramModel
    >>> layer = JointNgramModel(6, 6, order=2)
    >>> layer.adapt([[3, 4], [4, 3], [5, 4]], [[3, 5], [5, 3], [4, 5]])
    >>> source = np.array([[3, 4, 3], [3, 4, 3]])
    >>> log_probs = ops.convert_to_numpy(layer(source, np.array([[3, 5, 3], [5, 5, 3]])))
    >>> bool(log_probs[0] > log_probs[1])
    True

    Args:
        source_vocab_size: Number of source ids. Id 0 is padding; ids without units, such as that of
            the end token, are skipped.
        target_vocab_size: Number of target ids. Id 0 is padding.
        order: Number of units of the longest n-grams.
        num_paths: Number of alignments that are kept.
        end_id: Id of the end token of targets, which is skipped; None if they have none.
        counts_shape: Shape of the counts, for saved layers. `adapt` sets it.

    Call arguments:
        source: Ids `(batch, source)`, padded at the end.
        target: Ids `(batch, target)`, padded at the end.

    Returns:
        Float32 `(batch,)`, the natural logarithm of the joint probability, or -1,000 if the pair
        cannot be aligned.

    Weights, none of them trained: those of a `KneserNey` layer; `units` `(source_vocab_size,
    units)`, the ids of the units of each source token; `targets` `(units, 2)`, their target ids;
    and `mixture_weights` `(2,)`, a and b, at first 0.5.

    Raises:
        InputError: If an argument is out of its range, or the layer is used before `adapt`.
    """

    def __init__(
        self,
        source_vocab_size: PositiveInt,
        target_vocab_size: PositiveInt,
        order: PositiveInt = 8,
        num_paths: PositiveInt = 4,
        end_id: int | None = None,
        counts_shape: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(JointNgramModel, locals())
        super().__init__(**kwargs)
        self.source_vocab_size, self.target_vocab_size = source_vocab_size, target_vocab_size
        self.order, self.num_paths, self.end_id = order, num_paths, end_id
        self.counts_shape = None if counts_shape is None else list(counts_shape)

    def adapt(self, sources: Sequence[ArrayLike], targets: Sequence[ArrayLike]) -> None:
        """Align pairs and count the n-grams of their units. Call it once.

        Args:
            sources: Ids `(source,)` of each source sequence, without padding or end token.
            targets: Ids `(target,)` of each target sequence, without padding or end token.

        Raises:
            InputError: If fewer than half of the pairs can be aligned, or if the layer already has
                counts.
        """
        if self.built:
            raise InputError(f"{self.name} already has counts: create a new JointNgramModel.")
        source_rows = [np.asarray(row, "int64") for row in sources]
        target_rows = [np.asarray(row, "int64") for row in targets]
        triples = [
            _units(source, target, sizes)
            for source, target, sizes in zip(
                source_rows, target_rows, align(source_rows, target_rows), strict=True
            )
            if sizes is not None
        ]
        if len(triples) < max(1, MIN_ALIGNED * len(source_rows)):
            raise InputError(
                f"{self.name}.adapt() can align only {len(triples)} of {len(source_rows)} pairs. "
                f"Each source token has at most {MAX_CHUNK} target tokens, and there may be at "
                f"most {MAX_TABLE:,} triples of a source token and two target tokens."
            )
        unique, ids = np.unique(np.concatenate(triples), axis=0, return_inverse=True)
        ids = ids.reshape(-1) + END + 1
        ends = np.cumsum([len(row) for row in triples])[:-1]
        rows = [np.array([END, *row, END]) for row in np.split(ids, ends)]
        by_source = [
            np.flatnonzero(unique[:, 0] == source) + END + 1
            for source in range(self.source_vocab_size)
        ]
        kneser_ney = KneserNey(len(unique) + END + 1, self.order)
        kneser_ney.adapt(rows)
        max_units = max(map(len, by_source))
        self.counts_shape = [kneser_ney.vocab_size, max_units, *(kneser_ney.trie_shape or ())]
        self.build()
        self.kneser_ney.set_weights(kneser_ney.get_weights())
        self.targets.assign(np.pad(unique[:, 1:], [(END + 1, 0), (0, 0)]))
        self.units.assign(np.stack([np.pad(row, (0, max_units - len(row))) for row in by_source]))

    def build(self, source_shape: Shape | None = None, target_shape: Shape | None = None) -> None:
        if self.counts_shape is None:
            raise InputError(f"{self.name} has no counts yet: call adapt(sources, targets) first.")
        num_units, max_units, trie_shape = *self.counts_shape[:2], self.counts_shape[2:]
        self.kneser_ney = KneserNey(num_units, self.order, trie_shape=trie_shape, name="kneser_ney")
        self.kneser_ney.build((None, None, num_units))
        options: dict[str, Any] = {"trainable": False, "initializer": "zeros", "autocast": False}
        self.units = self.add_weight(
            (self.source_vocab_size, max_units), dtype="int32", name="units", **options
        )
        self.targets = self.add_weight((num_units, 2), dtype="int32", name="targets", **options)
        self.mixture_weights = self.add_weight(
            (2,), dtype="float32", name="mixture_weights", **options
        )
        self.mixture_weights.assign(INITIAL_WEIGHTS)
        self.built = True

    def call(self, source: Tensor, target: Tensor) -> Tensor:
        source, target = ops.cast(source, "int32"), ops.cast(target, "int32")
        if self.end_id is not None:
            target = ops.where(target == self.end_id, 0, target)
        lengths = ops.sum(ops.cast(target > 0, "int32"), axis=1)
        target = ops.pad(target, [[0, 0], [0, MAX_CHUNK]])
        batch, paths = ops.shape(source)[0], self.num_paths
        start = self.kneser_ney.contexts(ops.full((1, 1), END, "int32"))[:, -1:]
        is_first = ops.arange(paths) == 0
        state = (
            ops.zeros((), "int32"),
            ops.tile(start, (batch, paths, 1)),
            ops.zeros((batch, paths), "int32"),
            ops.tile(ops.where(is_first, 0.0, IMPOSSIBLE)[None], (batch, 1)),
        )

        def is_left(time: Tensor, *_: Tensor) -> Tensor:
            return time < ops.shape(source)[1]

        def step(
            time: Tensor, contexts: Tensor, position: Tensor, scores: Tensor
        ) -> tuple[Tensor, ...]:
            units = ops.take(self.units, ops.take(source, time, axis=1), axis=0)
            chunks = self._matching_units(units, target, position)
            probabilities, after = self.kneser_ney.read(contexts[:, :, None], chunks)
            logs = ops.log(ops.maximum(probabilities, MIN_PROBABILITY))
            logs = scores[:, :, None] + ops.where(chunks > 0, logs, IMPOSSIBLE)
            best, index = ops.top_k(ops.reshape(logs, (batch, -1)), paths)
            sizes = ops.arange(MAX_CHUNK + 1, dtype="int32")
            # Paths that cannot be continued stay within the target.
            positions = ops.minimum(position[:, :, None] + sizes, lengths[:, None, None])
            positions = ops.reshape(positions, (batch, -1))
            after = ops.reshape(after, (batch, -1, self.order))
            # Source tokens without units, such as padding, are skipped.
            is_read = ops.any(units > 0, axis=1)[:, None]
            return (
                time + 1,
                ops.where(
                    is_read[..., None],
                    ops.take_along_axis(after, index[..., None], axis=1),
                    contexts,
                ),
                ops.where(is_read, ops.take_along_axis(positions, index, axis=1), position),
                ops.where(is_read, best, scores),
            )

        _, contexts, position, scores = while_loop(is_left, step, state)
        ends, _ = self.kneser_ney.read(contexts, ops.full((batch, paths), END, "int32"))
        is_complete = position == lengths[:, None]
        logs = ops.log(ops.maximum(ends, MIN_PROBABILITY))
        scores = ops.where(is_complete, scores + logs, IMPOSSIBLE)
        total = ops.logsumexp(scores, axis=1)
        return ops.where(total > IMPOSSIBLE / 2, total, IMPOSSIBLE)

    def _matching_units(self, units: Tensor, target: Tensor, position: Tensor) -> Tensor:
        """Return the units with the next 0, 1 and 2 target tokens, `(batch, paths, 3)`.

        0 stands for a unit that does not exist.

        Args:
            units: Units of the source token, `(batch, units)`.
            target: Ids `(batch, target)`.
            position: Number of target tokens that each path has read, `(batch, paths)`.
        """
        first = ops.take_along_axis(target, position, axis=1)[:, :, None]
        second = ops.take_along_axis(target, position + 1, axis=1)[:, :, None]
        chunks = ops.take(self.targets, units, axis=0)[:, None]
        none = ops.zeros_like(first)
        pairs = [(none, none), (first, none), (first, second)]
        matches = []
        for size, pair in enumerate(pairs):
            is_match = (chunks[..., 0] == pair[0]) & (chunks[..., 1] == pair[1])
            if size:
                is_match &= pair[size - 1] > 0
            matches.append(ops.max(ops.where(is_match, units[:, None], 0), axis=-1))
        return ops.stack(matches, axis=-1)

    def rank(self, source: Tensor, sequences: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return hypotheses of a network in the order of their scores with this model.

        Args:
            source: Ids `(batch, source)`.
            sequences: Ids of the hypotheses of each source, `(batch, n_best, target)`.
            scores: Scores of the network, `(batch, n_best)`, minus infinity where there is none.

        Returns:
            Sequences and scores, best first.
        """
        log_probs = self.log_probs(source, sequences)
        mixed = self.mixture_weights[0] * scores + self.mixture_weights[1] * log_probs
        mixed = ops.where(scores > -float("inf"), mixed, -float("inf"))
        best, index = ops.top_k(mixed, ops.shape(scores)[1])
        return ops.take_along_axis(sequences, index[..., None], axis=1), best

    def log_probs(self, source: Tensor, sequences: Tensor) -> Tensor:
        """Return the log probability of each source with each of its hypotheses.

        Args:
            source: Ids `(batch, source)`.
            sequences: Ids `(batch, n_best, target)`.

        Returns:
            `(batch, n_best)`.
        """
        batch, n_best, length = ops.shape(sequences)
        log_probs = self(
            ops.repeat(source, n_best, axis=0),
            ops.reshape(sequences, (batch * n_best, length)),
        )
        return ops.reshape(log_probs, (batch, n_best))

    def compute_output_spec(self, source: Tensor, target: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(source.shape[:1], "float32")

    def get_config(self) -> Config:
        names = ("source_vocab_size", "target_vocab_size", "order", "num_paths", "end_id")
        config = {name: getattr(self, name) for name in (*names, "counts_shape")}
        return {**super().get_config(), **config}


def _units(source: Array, target: Array, sizes: Array) -> Array:
    """Return the source id and the two target ids of each unit, 0 for none, `(source, 3)`."""
    target = np.pad(target, (0, MAX_CHUNK))
    start = np.cumsum(sizes) - sizes
    first = np.where(sizes > 0, target[start], 0)
    second = np.where(sizes > 1, target[start + 1], 0)
    return np.stack([source, first, second], axis=1)

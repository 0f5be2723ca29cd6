"""Monotonic alignment of pairs of sequences, such as letters and phonemes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_seq._internal.types import Array

MAX_CHUNK = 2
"""Largest number of target tokens that one source token is aligned with."""
MAX_TABLE = 2**24
"""Largest size of the table of probabilities, `(source tokens, target tokens, target tokens)`."""
MAX_PAIRS = 20_000
"""Largest number of pairs from which the probabilities are learned."""
ROWS = 2_000
"""Largest number of pairs that are aligned at the same time."""
NUM_STEPS = 8
"""Number of steps of expectation maximization."""
PAIR_WEIGHT = 0.01
"""Initial probability of two target tokens, relative to that of one."""


def align(sources: Sequence[Array], targets: Sequence[Array]) -> list[Array | None]:
    """Align each source token with the next 0, 1 or 2 target tokens.

    The probability of an alignment is the product of the probabilities of its pairs, which do not
    depend on each other. They are learned by expectation maximization (Jiampojamarn et al. 2007).
    The most likely alignment is returned.

    >>> [chunks] = align([np.array([1, 2])], [np.array([3])])
    >>> int(chunks.sum())
    1

    Args:
        sources: Positive ids `(source,)` of each source sequence.
        targets: Positive ids `(target,)` of each target sequence.

    Returns:
        For each pair the number of target tokens of each source token, `(source,)`. None for a pair
        with too many target tokens or without source tokens, and for all pairs if there are too
        many different tokens.
    """
    chunks: list[Array | None] = [None] * len(sources)
    lengths = np.array([len(source) for source in sources])
    fits = [n > 0 and len(row) <= MAX_CHUNK * n for n, row in zip(lengths, targets, strict=True)]
    usable = np.flatnonzero(fits)
    num_sources = 1 + max((int(row.max(initial=0)) for row in sources), default=0)
    num_targets = 1 + max((int(row.max(initial=0)) for row in targets), default=0)
    if not len(usable) or num_sources * num_targets**2 > MAX_TABLE:
        return chunks
    table = np.zeros((num_sources, num_targets, num_targets))
    table[:, :, 0] = 1
    table[:, 1:, 1:] = PAIR_WEIGHT
    some = np.random.default_rng(0).permutation(usable)[:MAX_PAIRS]
    batches = [_Batch(sources, targets, rows) for rows in _by_length(some, lengths)]
    for _ in range(NUM_STEPS):
        counts = np.zeros_like(table)
        for batch in batches:
            batch.add_counts(table, counts)
        table = counts / np.maximum(counts.sum(axis=(1, 2), keepdims=True), 1e-300)
    # Pairs that were not counted remain possible.
    table = table + 1e-9
    table[:, 0, 1:] = 0
    for rows in _by_length(usable, lengths):
        for row, sizes in zip(rows, _Batch(sources, targets, rows).best(table), strict=True):
            chunks[row] = sizes
    return chunks


def _by_length(rows: Array, lengths: Array) -> list[Array]:
    """Return rows in batches of the same source length."""
    rows = rows[np.argsort(lengths[rows], kind="stable")]
    groups = np.split(rows, np.flatnonzero(np.diff(lengths[rows])) + 1)
    return [part for group in groups for part in np.split(group, range(ROWS, len(group), ROWS))]


class _Batch:
    """Pairs with the same source length.

    Args:
        sources: All source sequences.
        targets: All target sequences.
        rows: Indices of the pairs.
    """

    def __init__(self, sources: Sequence[Array], targets: Sequence[Array], rows: Array) -> None:
        self.source = np.stack([sources[row] for row in rows], axis=1)  # (source, pairs)
        self.lengths = np.array([len(targets[row]) for row in rows])
        ids = np.zeros((len(rows), self.lengths.max() + MAX_CHUNK), "int64")
        for ids_row, row in zip(ids, rows, strict=True):
            ids_row[: len(targets[row])] = targets[row]
        # The chunks of 0, 1 and 2 tokens that begin at each position, (3, pairs, target + 1).
        first, second = ids[:, :-1], ids[:, 1:]
        none = np.zeros_like(first)
        self.first, self.second = np.stack([none, first, first]), np.stack([none, none, second])
        self.is_chunk = np.stack([none == 0, first > 0, second > 0])

    def add_counts(self, table: Array, counts: Array) -> None:
        """Add the expected number of each pair of a source token and a chunk.

        Args:
            table: Probability of each pair, `(source tokens, first, second)`.
            counts: Array of the same shape to add to.
        """
        before = self._forward(table, np.add)
        after = np.zeros_like(before[0])
        after[np.arange(len(after)), self.lengths] = 1
        for source, reached in zip(self.source[::-1], before[-2::-1], strict=True):
            # Of each chunk with what follows it.
            follows = np.stack([_shift(after, -size) for size in range(MAX_CHUNK + 1)])
            rest = self._probabilities(table, source) * follows
            share = reached * rest
            share /= np.maximum(share.sum(axis=(0, 2)), 1e-300)[:, None]
            np.add.at(counts, (source[:, None], self.first, self.second), share)
            after = rest.sum(axis=0)
            after /= np.maximum(after.max(axis=1, keepdims=True), 1e-300)

    def best(self, table: Array) -> Array:
        """Return the sizes of the chunks of the most likely alignment, `(pairs, source)`.

        Args:
            table: Probability of each pair of a source token and a chunk.
        """
        before = self._forward(table, np.maximum)
        rows, position, sizes = np.arange(len(self.lengths)), self.lengths, []
        for source, reached in zip(self.source[::-1], before[-2::-1], strict=True):
            scores = reached * self._probabilities(table, source)
            ending = [
                np.where(position >= size, scores[size][rows, position - size], -1)
                for size in range(MAX_CHUNK + 1)
            ]
            sizes.append(np.argmax(ending, axis=0))
            position = position - sizes[-1]
        return np.stack(sizes[::-1], axis=1)

    def _forward(self, table: Array, combine: np.ufunc) -> list[Array]:
        """Return the probability of each target position after 0, 1, ... source tokens, scaled.

        Args:
            table: Probability of each pair of a source token and a chunk.
            combine: Sum, or maximum, over the alignments that end at a position.
        """
        start = np.zeros(self.first.shape[1:])
        start[:, 0] = 1
        before = [start]
        for source in self.source:
            reached = before[-1] * self._probabilities(table, source)
            ends = combine.reduce([_shift(row, size) for size, row in enumerate(reached)])
            before.append(ends / np.maximum(ends.max(axis=1, keepdims=True), 1e-300))
        return before

    def _probabilities(self, table: Array, source: Array) -> Array:
        """Return the probability of each chunk for one source token per pair."""
        return table[source[:, None], self.first, self.second] * self.is_chunk


def _shift(rows: Array, size: int) -> Array:
    """Return rows shifted to the right, or to the left if the size is negative."""
    if size == 0:
        return rows
    shifted = np.zeros_like(rows)
    if size > 0:
        shifted[:, size:] = rows[:, :-size]
    else:
        shifted[:, :size] = rows[:, -size:]
    return shifted

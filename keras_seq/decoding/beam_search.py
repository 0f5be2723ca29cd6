"""Beam search."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq._internal.portable import while_loop
from keras_seq._internal.ranges import Range
from keras_seq._internal.types import ArrayLike, Tensor
from keras_seq.decoding.autoregressive import State, Step


class BeamSearchResult(NamedTuple):
    """Best sequences of each example, as `beam_search` returns them.

    >>> from keras import ops
    >>> from keras_seq.decoding import beam_search
    >>> p = ops.convert_to_tensor([[0.0, 0.6, 0.4], [0.0, 0.1, 0.9], [0.0, 0.0, 1.0]])
    >>> def step(tokens, state):  # the next token depends on the last one only
    ...     return ops.log(ops.take(p, tokens, axis=0)), state
    >>> result = beam_search(
    ...     step, ops.zeros((1,)), start_id=0, end_id=2, beam_width=2, max_length=3
    ... )
    >>> ops.convert_to_numpy(result.sequences).tolist()
    [[[1, 2, 0], [2, 0, 0]]]
    >>> [round(float(p), 2) for p in ops.exp(result.scores)[0]]
    [0.54, 0.4]
    """

    sequences: Tensor
    """Tokens, int32 `(batch, n_best, max_length)`, best first, with zeros after the end token. A
    sequence is all zeros if the search found fewer than `n_best`."""
    scores: Tensor
    """Scores `(batch, n_best)`, minus infinity where there is no sequence."""
    is_optimal: Tensor
    """Bools `(batch,)`: whether the first sequence provably has the highest score of all. If so, a
    wider beam cannot find a better one."""


def beam_search(
    step: Step,
    initial_state: State,
    *,
    start_id: ArrayLike,
    end_id: int,
    beam_width: int,
    max_length: int | Tensor,
    length_penalty: float | Tensor = 0.0,
    min_length: int = 0,
    suppress_tokens: Iterable[int] = (),
    coverage: Callable[[State], Tensor] | None = None,
    n_best: int | None = None,
    max_lengths: ArrayLike | None = None,
) -> BeamSearchResult:
    """Return the sequences with the highest scores that a beam search finds (Wu et al. 2016).

    The score of a sequence (hypothesis) is

        log p / ((5 + length) / 6) ** length_penalty + coverage

    All lengths include the end token. A hypothesis that reaches `max_length` without the end token
    counts as finished.

    Each step keeps the `beam_width` most likely continuations of the hypotheses in the beam.
    Finished hypotheses move to a pool of the `n_best` with the highest scores. The search stops
    when no hypothesis in the beam can still enter the pool. The greedy hypothesis always stays
    in the beam, so that the result is never worse than that of `greedy`.

    Args:
        step: Function `step(tokens, state) -> (log_probs, state)`, as in `greedy`. Its rows are the
            `beam_width` hypotheses of the first example, then those of the second, and so on. The
            state is reordered at every step: leave out what all hypotheses of an example share.
        initial_state: State before the first step, a nested structure of tensors `(batch, ...)`.
        start_id: Id of the token before the first: one for all examples, or `(batch,)`.
        end_id: Id of the token that ends a sequence.
        beam_width: Number of hypotheses per example. It may exceed the vocabulary size.
        max_length: Largest number of tokens.
        length_penalty: Exponent of the length penalty. 0 ranks by log probability. Positive values
            favor long sequences, negative values short ones.
        min_length: Smallest number of tokens, unless `max_length` is smaller.
        suppress_tokens: Ids of tokens that are never generated.
        coverage: Function from a state to coverage scores `(rows,)`, at most 0, which are added to
            the scores of finished hypotheses. Default: 0.
        n_best: Number of sequences to return. Default: `beam_width`. With a smaller number the
            search may stop earlier.
        max_lengths: Largest number of tokens of each example, `(batch,)`, at most `max_length`.
            Default: `max_length`.

    Returns:
        The best sequences, their scores, and whether the first is provably optimal.

    Raises:
        InputError: If `beam_width`, `max_length` or `n_best` is below 1.
    """
    n_best = beam_width if n_best is None else n_best
    limits = {"beam_width": beam_width, "max_length": max_length, "n_best": n_best}
    for name, value in limits.items():
        if isinstance(value, (int, float)):  # otherwise a tensor
            Range(1, is_integer=True).check(name, value)
    max_lengths = max_length if max_lengths is None else ops.cast(max_lengths, "int32")
    inf = float("inf")
    batch = ops.shape(keras.tree.flatten(initial_state)[0])[0]
    first_rows = beam_width * ops.arange(batch, dtype="int32")[:, None]

    def tile_beam(rows: Tensor) -> Tensor:
        return ops.repeat(rows, beam_width, axis=0)

    def score(sums: Tensor, length: Tensor) -> Tensor:
        return sums / ((5 + ops.cast(length, "float32")) / 6) ** length_penalty

    def best_attainable(sums: Tensor, length: Tensor) -> Tensor:
        # Log probabilities never increase along a hypothesis. The best length is thus the next or
        # the largest, depending on the sign of the penalty.
        return ops.maximum(score(sums, length), score(sums, max_lengths))

    # The variables of the loop: the time step; last tokens `(rows,)` and states of the
    # hypotheses; their tokens `(rows, max_length)`; their log probabilities `(batch, beam_width)`;
    # whether the first hypothesis is the greedy one; the pool's sequences and scores; and the best
    # score that a pruned hypothesis could have reached `(batch,)`.

    def cond(
        position: Tensor,
        _tokens: Tensor,
        _state: State,
        _sequences: Tensor,
        sums: Tensor,
        _greedy_in_beam: Tensor,
        _finished: Tensor,
        scores: Tensor,
        _best_pruned: Tensor,
    ) -> Tensor:
        best = best_attainable(ops.max(sums, axis=1), position + 1)
        return (position < max_length) & ops.any(best > scores[:, -1])

    def body(
        position: Tensor,
        tokens: Tensor,
        state: State,
        sequences: Tensor,
        sums: Tensor,
        greedy_in_beam: Tensor,
        finished: Tensor,
        scores: Tensor,
        best_pruned: Tensor,
    ) -> tuple[Tensor, ...]:
        log_probs, state = step(tokens, state)
        size = log_probs.shape[-1]
        suppressed = ops.convert_to_tensor(np.isin(np.arange(size), list(suppress_tokens)))
        suppressed = suppressed | (ops.arange(size) == end_id) & (position + 1 < min_length)
        log_probs = ops.where(suppressed, -inf, ops.cast(log_probs, "float32"))
        log_probs = ops.reshape(log_probs, (batch, beam_width, size))
        candidates = ops.reshape(sums[:, :, None] + log_probs, (batch, beam_width * size))
        # While the greedy hypothesis is in the beam, it comes first.
        greedy = ops.arange(beam_width * size) == ops.argmax(log_probs[:, :1], axis=-1)
        ranked = ops.where(greedy_in_beam[:, None] & greedy, inf, candidates)
        chosen = ops.cast(ops.top_k(ranked, min(beam_width + 1, beam_width * size))[1], "int32")
        sums = ops.take_along_axis(candidates, chosen, axis=1)
        pruned = ops.max(sums[:, beam_width:], axis=1, initial=-inf)
        best_pruned = ops.maximum(best_pruned, best_attainable(pruned, position + 1))
        chosen, sums = chosen[:, :beam_width], sums[:, :beam_width]
        parents, tokens = ops.reshape(first_rows + chosen // size, (-1,)), chosen % size
        state, sequences = keras.tree.map_structure(
            lambda rows: ops.take(rows, parents, axis=0), (state, sequences)
        )
        ends = (tokens == end_id) | ops.reshape(position + 1 == max_lengths, (-1, 1))
        tokens = ops.reshape(tokens, (-1,))
        sequences = ops.where(ops.arange(max_length) == position, tokens[:, None], sequences)
        final_scores = score(sums, position + 1)
        if coverage is not None:
            final_scores = final_scores + ops.reshape(coverage(state), (batch, beam_width))
        pool = ops.concatenate([scores, ops.where(ends, final_scores, -inf)], axis=1)
        scores, kept = ops.top_k(pool, n_best)
        pool = ops.reshape(sequences, (batch, beam_width, max_length))
        pool = ops.concatenate([finished, pool], axis=1)
        finished = ops.take_along_axis(pool, kept[:, :, None], axis=1)
        sums = ops.where(ends, -inf, sums)
        greedy_in_beam = greedy_in_beam & (sums[:, 0] > -inf)
        beam = position + 1, tokens, state, sequences, sums, greedy_in_beam
        return *beam, finished, scores, best_pruned

    start = (
        ops.convert_to_tensor(0, dtype="int32"),
        tile_beam(ops.broadcast_to(ops.cast(start_id, "int32"), (batch,))),
        keras.tree.map_structure(tile_beam, initial_state),
        ops.zeros((batch * beam_width, max_length), "int32"),
        # All hypotheses are equal at first. Only the first may continue: log(1), and log(0) for
        # the others.
        ops.log(ops.one_hot(ops.zeros((batch,), "int32"), beam_width, dtype="float32")),
        ops.ones((batch,), "bool"),
        ops.zeros((batch, n_best, max_length), "int32"),
        ops.full((batch, n_best), -inf, "float32"),
        ops.full((batch,), -inf, "float32"),
    )
    *_, finished, scores, best_pruned = while_loop(cond, body, start)
    finished = ops.where(scores[:, :, None] > -inf, finished, 0)
    return BeamSearchResult(finished, scores, scores[:, 0] >= best_pruned)

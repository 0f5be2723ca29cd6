"""The best sequences that are come upon by going on with the best beginnings only."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError


def beam_search(
    step,
    initial_state,
    *,
    start_id,
    end_id,
    beam_width,
    max_length,
    length_penalty=0.0,
    min_length=0,
    forbidden=(),
    coverage=None,
    n_best=None,
    limits=None,
    certain=False,
):
    """Sequences (hypotheses) of a high score (Wu et al. 2016),

        log p / ((5 + length) / 6) ** length_penalty + coverage

    where the length is that of all tokens, the end token included. A hypothesis that reaches
    `max_length` without the end token counts as it is.

    At every step the beam takes the `beam_width` likeliest of all that its hypotheses can become.
    Those that end leave it for a pool, from which only a better one drives them out, and the search
    goes on as long as one of the beam can still get into the pool. The hypothesis that `greedy`
    makes always has its place in the beam, so that the best found is never worse.

    Args:
        step: `step(tokens, state) -> (log_probs, state)`, see
            `keras_seq.decoding.autoregressive`. Its
            rows are the `beam_width` hypotheses of the first example, then those of the next: what
            all of an example share it need not find in the state, which is gathered every time.
        initial_state: Before the first step: any nest of tensors whose first axis is batch.
        start_id: The token before the first, one for all or `(batch,)`.
        end_id: The token after which a hypothesis is finished.
        beam_width: Hypotheses to go on with, of each example; there may be more than tokens.
        max_length: Tokens at most.
        length_penalty: 0 compares plain log probabilities; more favours long sequences, less than 0
            short ones.
        min_length: Tokens at least, if they are not cut off by `max_length`.
        forbidden: Tokens never to take.
        coverage: Function of a state to `(rows,)`, which must not be positive.
        n_best: How many sequences to return, `beam_width` by default. The fewer, the earlier the
            search may end.
        limits: Tokens at most of each example, `(batch,)`, none of them more than `max_length`.
        certain: Whether to return also of which examples it is certain that there is no better
            sequence than the best found, so that a wider beam would be in vain.

    Returns:
        Sequences, int32 `(batch, n_best, max_length)`, the best first, the end token included and
        zeros after it, and their scores `(batch, n_best)`. Where no more were found, the sequence
        is all zeros and its score minus infinity. If `certain`, then also bools `(batch,)`.
    """
    n_best = beam_width if n_best is None else n_best
    for name, value in (
        ("beam_width", beam_width),
        ("max_length", max_length),
        ("n_best", n_best),
    ):
        if isinstance(value, int) and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}.")
    limits = max_length if limits is None else ops.cast(limits, "int32")
    inf = float("inf")
    batch = ops.shape(keras.tree.flatten(initial_state)[0])[0]
    first_rows = beam_width * ops.arange(batch, dtype="int32")[:, None]

    def of_beam(rows):
        return ops.repeat(rows, beam_width, axis=0)

    def score(sums, length):
        return sums / ((5 + ops.cast(length, "float32")) / 6) ** length_penalty

    def attainable(sums, length):
        # Log probabilities only fall: the best length is the next or the last, whatever the sign
        # of the penalty.
        return ops.maximum(score(sums, length), score(sums, limits))

    def going_on(number, tokens, state, written, sums, leading, finished, scores, missed):
        best = attainable(ops.max(sums, axis=1), number + 1)
        return (number < max_length) & ops.any(best > scores[:, -1])

    def body(number, tokens, state, written, sums, leading, finished, scores, missed):
        log_probs, state = step(tokens, state)
        size = log_probs.shape[-1]
        barred = ops.convert_to_tensor(np.isin(np.arange(size), list(forbidden)))
        barred = barred | (ops.arange(size) == end_id) & (number + 1 < min_length)
        log_probs = ops.where(barred, -inf, ops.cast(log_probs, "float32"))
        log_probs = ops.reshape(log_probs, (batch, beam_width, size))
        candidates = ops.reshape(sums[:, :, None] + log_probs, (batch, beam_width * size))
        # The greedy hypothesis, while it is in the beam, is in its first place.
        greedy = ops.arange(beam_width * size) == ops.argmax(log_probs[:, :1], axis=-1)
        ranked = ops.where(leading[:, None] & greedy, inf, candidates)
        chosen = ops.cast(ops.top_k(ranked, min(beam_width + 1, beam_width * size))[1], "int32")
        sums = ops.take_along_axis(candidates, chosen, axis=1)
        # The best of those that have no place in the beam.
        best = ops.max(sums[:, beam_width:], axis=1, initial=-inf)
        missed = ops.maximum(missed, attainable(best, number + 1))
        chosen, sums = chosen[:, :beam_width], sums[:, :beam_width]
        parents, tokens = ops.reshape(first_rows + chosen // size, (-1,)), chosen % size
        state, written = keras.tree.map_structure(
            lambda rows: ops.take(rows, parents, axis=0), (state, written)
        )
        done = (tokens == end_id) | ops.reshape(number + 1 == limits, (-1, 1))
        tokens = ops.reshape(tokens, (-1,))
        written = ops.where(ops.arange(max_length) == number, tokens[:, None], written)
        ended = score(sums, number + 1)
        if coverage is not None:
            ended = ended + ops.reshape(coverage(state), (batch, beam_width))
        pool = ops.concatenate([scores, ops.where(done, ended, -inf)], axis=1)
        scores, kept = ops.top_k(pool, n_best)
        pool = ops.reshape(written, (batch, beam_width, max_length))
        pool = ops.concatenate([finished, pool], axis=1)
        finished = ops.take_along_axis(pool, kept[:, :, None], axis=1)
        sums = ops.where(done, -inf, sums)
        leading = leading & (sums[:, 0] > -inf)
        return number + 1, tokens, state, written, sums, leading, finished, scores, missed

    start = (
        ops.convert_to_tensor(0, dtype="int32"),
        of_beam(ops.broadcast_to(ops.cast(start_id, "int32"), (batch,))),
        keras.tree.map_structure(of_beam, initial_state),
        ops.zeros((batch * beam_width, max_length), "int32"),
        # Of the hypotheses, which are all alike, there is only the first: 0 and minus infinity.
        ops.log(ops.one_hot(ops.zeros((batch,), "int32"), beam_width, dtype="float32")),
        ops.ones((batch,), "bool"),
        ops.zeros((batch, n_best, max_length), "int32"),
        ops.full((batch, n_best), -inf, "float32"),
        ops.full((batch,), -inf, "float32"),
    )
    *_, finished, scores, missed = ops.while_loop(going_on, body, start)
    finished = ops.where(scores[:, :, None] > -inf, finished, 0)
    return (finished, scores, scores[:, 0] >= missed) if certain else (finished, scores)

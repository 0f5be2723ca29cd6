"""Linear chains: every step scores its tags, every pair of neighbours its transition.

A chain of tags y_1 ... y_n has the score (Lafferty, McCallum & Pereira 2001)

    s(y) = start[y_1] + sum_t scores[t, y_t] + sum_t transitions[y_t, y_{t+1}] + end[y_n]

and, of all chains, the probability exp(s(y)) / Z. Steps that are masked are not part of the chain,
wherever they are. A transition, start or end of minus infinity is impossible.

All arguments named `chain` are the triple transitions (tags, tags) from tag to tag, start (tags,)
and end (tags,). What recurs over time is kept relative to its best tag, so that neither long
sequences nor large scores lose accuracy. One step follows the other: products of transitions in
blocks, a tree instead of a chain, took 2.4 to 6 times as long on two cores, for 9 and 13 tags over
65 to 4,097 steps.
"""

from typing import NamedTuple

from keras import ops

from keras_seq.scan.bptt.loop import loop, previous
from keras_seq.scan.compiled import over_time


def log_likelihood(scores, chain, mask, tags):
    """The logarithm of the probability of one chain each, differentiable once.

    Args:
        scores: `(batch, timesteps, tags)`, finite.
        chain: Triple; see above.
        mask: Bools `(batch, timesteps)`.
        tags: Integers `(batch, timesteps)`; where masked, they may be anything.

    Returns:
        `(batch,)`; 0 for a chain without steps, NaN if a step has a tag that does not exist.
    """
    values = scores, *chain
    fixed, *fixed_chain = (ops.stop_gradient(value) for value in values)
    tags = ops.cast(tags, "int32")
    d_scores, result, *d_chain = over_time(_log_likelihood, [fixed, mask, tags], fixed_chain)
    # What is added is zero and brings the gradient: how often the chain has each tag and each
    # transition, less how often that is to be expected.
    for value, gradient in zip(values, [d_scores, *d_chain]):
        if value is not scores:
            value = ops.broadcast_to(value, ops.shape(gradient))
        moved = ops.where(ops.isfinite(value), value - ops.stop_gradient(value), 0)
        result = result + ops.sum(moved * gradient, axis=tuple(range(1, len(gradient.shape))))
    return result


def marginals(scores, chain, mask):
    """The probability of each tag at each step: `(batch, timesteps, tags)`, zeros where masked.

    Args:
        scores, chain, mask: As in `log_likelihood`.
    """
    return over_time(_marginals, [scores, mask], chain)[0]


def viterbi(scores, chain, mask):
    """The best chain (Viterbi 1967).

    Args:
        scores, chain, mask: As in `log_likelihood`.

    Returns:
        Its tags `(batch, timesteps)`, int32, 0 where masked, and its score `(batch,)`.
    """
    tags, score = over_time(_viterbi, [scores, mask], chain)
    return ops.cast(tags[:, :, 0], "int32"), score


LOWEST = -1e30
"""Below all scores, yet far from what overflows."""


class _Steps(NamedTuple):
    """Which steps are in the chain, which is the first, which the last.

    Bools (batch, timesteps, 1).
    """

    seen: object
    first: object
    last: object


def _steps(mask):
    count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    flags = mask, mask & (count == 1), mask & (count == count[:, -1:])
    return _Steps(*(ops.expand_dims(flag, 2) for flag in flags))


def _recursion(reduce, scores, transitions, begin, seen, first):
    """At every step, over all chains until there: `reduce` of their scores, for each last tag.

    Returns:
        `(batch, timesteps, tags)` relative to the best tag; the last of these; what was taken off
        over all steps, `(batch,)`.
    """

    def step(carry, elements):
        (relative,) = carry
        score, seen, first = elements
        arrived = reduce(ops.expand_dims(relative, 2) + transitions, axis=1)
        new = ops.where(first, begin, arrived) + score
        best = _finite(ops.max(new, axis=-1, keepdims=True))
        relative = ops.where(seen, new - best, relative)
        return (relative,), (relative, best)

    carry, sequences = (ops.zeros_like(scores[:, 0]),), (scores, seen, first)
    (final,), (stack, best) = loop(step, carry, sequences, (scores.shape[-1], 1))
    return stack, final, ops.sum(ops.where(seen, best, 0), axis=(1, 2))


def _logsumexp(x, axis):
    """As `ops.logsumexp`, in half as many operations, which is what a short step costs."""
    best = _finite(ops.max(x, axis=axis, keepdims=True))
    total = ops.sum(ops.exp(x - best), axis=axis, keepdims=True)
    return ops.squeeze(ops.log(total) + best, axis)


def _finite(best):
    """The largest of some numbers to be taken off them: where all are minus infinity, they stay."""
    return ops.maximum(best, LOWEST)


def _marginals(*arguments):
    """The probability of each tag."""
    return [_forward_backward(*arguments)[0]], []


def _forward_backward(scores, mask, transitions, start, end):
    """The probability of each tag; log Z; both recursions, relative to their best tags."""
    seen, first, last = _steps(mask)

    def both(forward, backward):
        """Two halves of one batch, so that the steps of both directions cost as one."""
        return ops.concatenate([forward, backward], axis=0)

    def repeated(tensor):
        return ops.broadcast_to(tensor[None], (ops.shape(scores)[0], *tensor.shape))

    stack, final, taken = _recursion(
        _logsumexp,
        both(scores, ops.flip(scores, 1)),
        both(repeated(transitions), repeated(ops.transpose(transitions))),
        both(repeated(start), repeated(end)),
        both(seen, ops.flip(seen, 1)),
        both(first, ops.flip(last, 1)),
    )
    alphas, betas = ops.split(stack, 2, axis=0)
    betas = ops.flip(betas, 1)
    half = ops.shape(scores)[0]
    log_z = _logsumexp(final[:half] + end, axis=-1) + taken[:half]
    log_z = ops.where(ops.any(mask, axis=1), log_z, 0)
    # Both have the score of the step itself.
    together = alphas + betas - scores
    weights = ops.exp(together - ops.max(together, axis=-1, keepdims=True))
    probabilities = ops.where(seen, weights / ops.sum(weights, axis=-1, keepdims=True), 0)
    return probabilities, log_z, alphas, betas


def _expected(scores, mask, transitions, start, end):
    """The gradient of log Z for scores and chain, that is expected counts; log Z."""
    seen, first, last = _steps(mask)
    probabilities, log_z, alphas, betas = _forward_backward(scores, mask, transitions, start, end)

    def step(carry, elements):
        before, beta, inner = elements
        pairs = before[:, :, None] + transitions + beta[:, None, :]
        pairs = ops.exp(pairs - ops.max(pairs, axis=(1, 2), keepdims=True))
        share = inner[:, :, None] / ops.sum(pairs, axis=(1, 2), keepdims=True)
        return (carry[0] + pairs * share,), ()

    before = previous(ops.zeros_like(alphas[:, 0]), alphas)
    zeros = ops.zeros_like(before[:, 0, :, None] + transitions)
    inner = ops.cast(seen & ops.logical_not(first), scores.dtype)
    (pairs,), () = loop(step, (zeros,), (before, betas, inner), ())
    at_start, at_end = (ops.sum(ops.where(at, probabilities, 0), axis=1) for at in (first, last))
    return [probabilities, pairs, at_start, at_end], log_z


def _log_likelihood(scores, mask, tags, transitions, start, end):
    """Its gradient for the scores; the value, its gradient for the chain, a sequence each."""
    (expected, *of_chain), log_z = _expected(scores, mask, transitions, start, end)
    count, timesteps = scores.shape[-1], ops.shape(scores)[1]
    known = ops.all(ops.logical_not(mask) | ((tags >= 0) & (tags < count)), axis=1)
    # A masked step has no tag at all, so that what it takes part in counts as zero.
    tags = ops.where(mask & (tags < count), tags, -1)
    hot = ops.one_hot(tags, count, dtype=scores.dtype)
    # Neighbours in the chain become neighbours in time: what is masked moves to the end.
    t = ops.arange(timesteps)
    order = ops.argsort(ops.where(mask, t, timesteps + t), axis=1)
    moved = ops.one_hot(ops.take_along_axis(tags, order, axis=1), count, dtype=scores.dtype)
    length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    last = ops.sum(moved * ops.cast(t == length - 1, moved.dtype)[:, :, None], axis=1)
    pairs = ops.matmul(ops.transpose(moved[:, :-1], (0, 2, 1)), moved[:, 1:])
    counts = [hot, pairs, moved[:, 0], last]
    value = sum(
        # Zero times minus infinity is to be zero.
        ops.sum(ops.where(n > 0, n * value, 0), axis=tuple(range(1, len(n.shape))))
        for n, value in zip(counts, (scores, transitions, start, end))
    )
    value = ops.where(known, value - log_z, float("nan"))
    gradients = [n - e for n, e in zip(counts[1:], of_chain)]
    return [hot - expected], [value, *gradients]


def _viterbi(scores, mask, transitions, start, end):
    """The tags of the best chain, (batch, timesteps, 1) in the type of the scores; its score."""
    seen, first, _ = _steps(mask)
    deltas, final, taken = _recursion(ops.max, scores, transitions, start, seen, first)
    best = ops.max(final + end, axis=-1) + taken
    into = ops.transpose(transitions)

    def step(carry, elements):
        (onward,) = carry
        delta, seen = elements
        tag = ops.argmax(delta + onward, axis=-1)
        onward = ops.where(seen, ops.take(into, tag, axis=0), onward)
        return (onward,), (ops.expand_dims(ops.cast(tag, delta.dtype), 1),)

    _, (tags,) = loop(step, (ops.zeros_like(final) + end,), (deltas, seen), (1,), reverse=True)
    return [ops.where(seen, tags, 0)], [ops.where(ops.any(mask, axis=1), best, 0)]

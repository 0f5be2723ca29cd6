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

from keras_seq.exchangeable import Exchangeable
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


def viterbi_and_marginals(scores, chain, mask):
    """The tags that `viterbi` gives, and `marginals`, in one pass.

    That is faster where each operation of a step has its price, as in exported models.

    Args:
        scores, chain, mask: As in `log_likelihood`.
    """
    tags, probabilities = over_time(_viterbi_and_marginals, [scores, mask], chain)
    return ops.cast(tags[:, :, 0], "int32"), probabilities


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


FORWARD, BACKWARD, BEST = "forward", "backward", "best"
"""What recurs: logarithms of sums over all chains until a step, and of those from a step on (the
forward and backward variables, Rabiner 1989), and the best of the chains until a step."""


class _Recursion(NamedTuple):
    stack: object
    """At each step, for each tag there, relative to the best: `(batch, timesteps, tags)`."""
    final: object
    """The last of these in the order computed."""
    taken: object
    """What was taken off over all steps, `(batch,)`; only where it was asked for."""


def _recursions(kinds, scores, mask, transitions, start, end, scored=True):
    """A `_Recursion` of each kind: parts of one batch, so that their steps cost as one."""
    seen, first, last = _steps(mask)
    part = ops.arange(len(kinds) * ops.shape(scores)[0]) // ops.shape(scores)[0]

    def sequences(forward, backward):
        flipped = ops.flip(backward, 1)
        return ops.concatenate([flipped if k == BACKWARD else forward for k in kinds], axis=0)

    def each(values):
        return ops.take(ops.stack(values), part, axis=0)

    into = ops.transpose(transitions)
    transitions = each([into if kind == BACKWARD else transitions for kind in kinds])
    begin = each([end if kind == BACKWARD else start for kind in kinds])
    summed = each([ops.ones((1,), "bool") if k != BEST else ops.zeros((1,), "bool") for k in kinds])

    def reduce(x):
        if BEST not in kinds:
            return logsumexp(x, axis=1)
        best = ops.max(x, axis=1)
        return best if kinds == (BEST,) else ops.where(summed, logsumexp(x, axis=1), best)

    def step(carry, elements):
        (relative,) = carry
        score, seen, first = elements
        arrived = reduce(ops.expand_dims(relative, 2) + transitions)
        new = ops.where(first, begin, arrived) + score
        best = _finite(ops.max(new, axis=-1, keepdims=True))
        relative = ops.where(seen, new - best, relative)
        return (relative,), (relative, best) if scored else (relative,)

    scores, seen, first = (
        sequences(*pair) for pair in ((scores, scores), (seen, seen), (first, last))
    )
    widths = (scores.shape[-1], 1) if scored else (scores.shape[-1],)
    carry = (ops.zeros_like(scores[:, 0]),)
    (final,), (stack, *best) = loop(step, carry, (scores, seen, first), widths)
    found = [stack, final, *(ops.sum(ops.where(seen, b, 0), axis=(1, 2)) for b in best)]
    for kind, *parts in zip(kinds, *(ops.split(whole, len(kinds), axis=0) for whole in found)):
        stack, final, taken = (*parts, None)[:3]
        yield _Recursion(ops.flip(stack, 1) if kind == BACKWARD else stack, final, taken)


@Exchangeable
def logsumexp(x, axis):
    """As `ops.logsumexp`, in half as many operations, which is what a short step costs."""
    best = _finite(ops.max(x, axis=axis, keepdims=True))
    total = ops.sum(ops.exp(x - best), axis=axis, keepdims=True)
    return ops.squeeze(ops.log(total) + best, axis)


def _finite(best):
    """The largest of some numbers to be taken off them: where all are minus infinity, they stay."""
    return ops.maximum(best, LOWEST)


def _marginals(scores, mask, *chain):
    """The probability of each tag."""
    both = _recursions((FORWARD, BACKWARD), scores, mask, *chain, scored=False)
    return [_probabilities(scores, mask, *both)], []


def _probabilities(scores, mask, forward, backward):
    """The probability of each tag, of the recursions in both directions."""
    # Both have the score of the step itself.
    together = forward.stack + backward.stack - scores
    weights = ops.exp(together - ops.max(together, axis=-1, keepdims=True))
    return ops.where(mask[:, :, None], weights / ops.sum(weights, axis=-1, keepdims=True), 0)


def _expected(scores, mask, transitions, start, end):
    """The gradient of log Z for scores and chain, that is expected counts; log Z."""
    seen, first, last = _steps(mask)
    chain = transitions, start, end
    forward, backward = _recursions((FORWARD, BACKWARD), scores, mask, *chain)
    probabilities = _probabilities(scores, mask, forward, backward)
    log_z = logsumexp(forward.final + end, axis=-1) + forward.taken
    log_z = ops.where(ops.any(mask, axis=1), log_z, 0)

    def step(carry, elements):
        before, beta, inner = elements
        pairs = before[:, :, None] + transitions + beta[:, None, :]
        pairs = ops.exp(pairs - ops.max(pairs, axis=(1, 2), keepdims=True))
        share = inner[:, :, None] / ops.sum(pairs, axis=(1, 2), keepdims=True)
        return (carry[0] + pairs * share,), ()

    before = previous(ops.zeros_like(forward.final), forward.stack)
    zeros = ops.zeros_like(before[:, 0, :, None] + transitions)
    inner = ops.cast(seen & ops.logical_not(first), scores.dtype)
    (pairs,), () = loop(step, (zeros,), (before, backward.stack, inner), ())
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


def _viterbi(scores, mask, *chain):
    """The tags of the best chain, (batch, timesteps, 1) in the type of the scores; its score."""
    (best,) = _recursions((BEST,), scores, mask, *chain)
    score = ops.max(best.final + chain[-1], axis=-1) + best.taken
    return [_best_chain(best, mask, *chain)], [ops.where(ops.any(mask, axis=1), score, 0)]


def _viterbi_and_marginals(scores, mask, *chain):
    """The tags of the best chain, as `_viterbi`; the probability of each tag."""
    found = _recursions((FORWARD, BACKWARD, BEST), scores, mask, *chain, scored=False)
    forward, backward, best = found
    return [_best_chain(best, mask, *chain), _probabilities(scores, mask, forward, backward)], []


def _best_chain(best, mask, transitions, start, end):
    """Its tags, from the last to the first."""
    seen, into = ops.expand_dims(mask, 2), ops.transpose(transitions)

    def step(carry, elements):
        (onward,) = carry
        delta, seen = elements
        tag = ops.argmax(delta + onward, axis=-1)
        onward = ops.where(seen, ops.take(into, tag, axis=0), onward)
        return (onward,), (ops.expand_dims(ops.cast(tag, delta.dtype), 1),)

    carry = (ops.zeros_like(best.final) + end,)
    _, (tags,) = loop(step, carry, (best.stack, seen), (1,), reverse=True)
    return ops.where(seen, tags, 0)

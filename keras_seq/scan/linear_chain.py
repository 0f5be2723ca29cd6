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

import keras
from keras import ops

from keras_seq._internal.export_target import dispatch_by_target, export_target
from keras_seq._internal.portable import argmax
from keras_seq.scan.compiled import run_compiled
from keras_seq.scan.derivatives import CustomGradient
from keras_seq.scan.log_space import NEG_INF, replace_neg_inf
from keras_seq.scan.loop import differentiable_loops, loop, shift


def log_likelihood(scores, chain, mask, tags):
    """Return the logarithm of the probability of one chain each.

    It can be differentiated any number of times, for the finite ones of scores and chain.

    Args:
        scores: `(batch, timesteps, tags)`, finite.
        chain: Triple; see above.
        mask: Bools `(batch, timesteps)`.
        tags: Integers `(batch, timesteps)`; where masked, they may be anything.

    Returns:
        `(batch,)`; 0 for a chain without steps, NaN if a step has a tag that does not exist.
    """
    arguments = [ops.where(ops.isfinite(a), a, ops.stop_gradient(a)) for a in (scores, *chain)]
    constants = mask, ops.cast(tags, "int32")
    if keras.backend.backend() == "tensorflow":
        (value,) = _LOG_LIKELIHOOD(arguments, constants)
    else:
        # The backend's own gradient is as fast there, or twice as fast.
        (value,) = run_compiled(_log_likelihood, [arguments[0], *constants], arguments[1:])
    return value


def marginals(scores, chain, mask):
    """The probability of each tag at each step: `(batch, timesteps, tags)`, zeros where masked.

    Args:
        scores, chain, mask: As in `log_likelihood`.
    """
    return run_compiled(_marginals, [scores, mask], chain)[0]


def viterbi(scores, chain, mask):
    """The best chain (Viterbi 1967).

    Args:
        scores, chain, mask: As in `log_likelihood`.

    Returns:
        Its tags `(batch, timesteps)`, int32, 0 where masked, and its score `(batch,)`.
    """
    tags, score = run_compiled(_viterbi, [scores, mask], chain)
    return ops.cast(tags[:, :, 0], "int32"), score


def viterbi_and_marginals(scores, chain, mask):
    """The tags that `viterbi` gives, and `marginals`.

    An exported model does what both need at a step at once, since there each operation has its
    price; what is compiled is faster one after the other.

    Args:
        scores, chain, mask: As in `log_likelihood`.
    """
    if export_target() is None:
        return viterbi(scores, chain, mask)[0], marginals(scores, chain, mask)
    tags, probabilities = run_compiled(_viterbi_and_marginals, [scores, mask], chain)
    return ops.cast(tags[:, :, 0], "int32"), probabilities


FORWARD, BACKWARD, BEST = "forward", "backward", "best"
"""What recurs: logarithms of sums over all chains until a step, and of those from a step on (the
forward and backward variables, Rabiner 1989), and the best of the chains until a step."""


class _Recursion(NamedTuple):
    stack: object
    """At each step, for each tag there, relative to the best: `(batch, timesteps, tags)`; where
    masked, it is as at the step before if the taken is asked for, else it is nothing."""
    final: object
    """The last of these in the order computed."""
    taken: object
    """What was taken off over all steps, `(batch,)`; only where it was asked for."""


def _recursions(kinds, scores, mask, transitions, start, end, scored=True):
    """A `_Recursion` of each kind: parts of one batch, so that their steps cost as one.

    Before its first step a chain is at a tag of its own, the boundary, from which it starts and to
    which nothing leads. So the first step is one like the others, wherever the mask has it. What is
    impossible is `NEG_INF`, since minus infinity less itself is no number.
    """
    count = scores.shape[-1]
    boundary = ops.concatenate([ops.full((count,), NEG_INF), ops.zeros((1,))])

    def table(kind):
        back = kind == BACKWARD
        inner, begin = (ops.transpose(transitions), end) if back else (transitions, start)
        rows = ops.concatenate([inner, begin[None]], axis=0)
        return replace_neg_inf(ops.pad(rows, [[0, 0], [0, 1]], constant_values=NEG_INF))

    rows = ops.shape(scores)[0]
    part = ops.arange(len(kinds) * rows) // rows

    def each(values):
        return ops.take(ops.stack(values), part, axis=0)

    def sequences(forward):
        backward = ops.flip(forward, 1)
        return ops.concatenate([backward if k == BACKWARD else forward for k in kinds], axis=0)

    def reduce(x):
        if BEST not in kinds:
            return logsumexp(x, axis=1)
        best = ops.max(x, axis=1)
        return best if kinds == (BEST,) else ops.where(summed, logsumexp(x, axis=1), best)

    def step(carry, elements):
        (relative,) = carry
        score, seen = elements
        new = reduce(ops.expand_dims(relative, 2) + tables) + score
        # What is taken off now and added later has no gradient.
        best = ops.stop_gradient(ops.max(new, axis=-1, keepdims=True))
        moved = new - best
        relative = ops.where(seen, moved, relative)
        return (relative,), (relative, best) if scored else (moved,)

    tables = each([table(kind) for kind in kinds])
    summed = each([ops.ones((1,), "bool") if k != BEST else ops.zeros((1,), "bool") for k in kinds])
    scores = sequences(ops.pad(scores, [[0, 0], [0, 0], [0, 1]]))
    seen = sequences(ops.expand_dims(mask, 2))
    carry = (ops.cast(each([boundary] * len(kinds)), scores.dtype),)
    widths = (count + 1, 1) if scored else (count + 1,)
    (final,), (stack, *best) = loop(step, carry, (scores, seen), widths)
    found = [stack[:, :, :-1], final[:, :-1]]
    found += [ops.sum(ops.where(seen, b, 0), axis=(1, 2)) for b in best]
    for kind, *parts in zip(kinds, *(ops.split(whole, len(kinds), axis=0) for whole in found)):
        stack, final, taken = (*parts, None)[:3]
        yield _Recursion(ops.flip(stack, 1) if kind == BACKWARD else stack, final, taken)


def _score(recursion, mask, reduce, end):
    """Of all chains, by what `reduce` makes of those that end in each tag; 0 for an empty one."""
    score = reduce(recursion.final + replace_neg_inf(end), axis=-1) + recursion.taken
    score = ops.where(score < NEG_INF / 2, float("-inf"), score)
    return ops.where(ops.any(mask, axis=1), score, 0)


@dispatch_by_target
def logsumexp(x, axis):
    """As `ops.logsumexp`, of finite numbers, in half as many operations, which cost by number."""
    best = ops.stop_gradient(ops.max(x, axis=axis, keepdims=True))
    total = ops.sum(ops.exp(x - best), axis=axis, keepdims=True)
    return ops.squeeze(ops.log(total) + best, axis)


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
    chain = transitions, start, end
    forward, backward = _recursions((FORWARD, BACKWARD), scores, mask, *chain)
    probabilities = _probabilities(scores, mask, forward, backward)
    log_z = _score(forward, mask, logsumexp, end)

    def step(carry, elements):
        before, beta, inner = elements
        pairs = before[:, :, None] + transitions + beta[:, None, :]
        pairs = ops.exp(pairs - ops.max(pairs, axis=(1, 2), keepdims=True))
        share = inner[:, :, None] / ops.sum(pairs, axis=(1, 2), keepdims=True)
        return (carry[0] + pairs * share,), ()

    before = shift(ops.zeros_like(forward.final), forward.stack)
    zeros = ops.zeros_like(before[:, 0, :, None] + transitions)
    count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    first, last = (ops.expand_dims(mask & at, 2) for at in (count == 1, count == count[:, -1:]))
    inner = ops.cast(ops.expand_dims(mask, 2) & ops.logical_not(first), scores.dtype)
    (pairs,), () = loop(step, (zeros,), (before, backward.stack, inner), ())
    at_start, at_end = (ops.sum(ops.where(at, probabilities, 0), axis=1) for at in (first, last))
    return [probabilities, pairs, at_start, at_end], log_z


def _log_likelihood(scores, mask, tags, *chain):
    """The value, differentiable any number of times."""
    with differentiable_loops():
        (forward,) = _recursions((FORWARD,), scores, mask, *chain)
    log_z = _score(forward, mask, logsumexp, chain[-1])
    value = _score_of(_counts(mask, tags, scores), scores, *chain)
    return [], [ops.where(_exist(tags, mask, scores), value - log_z, float("nan"))]


def _with_gradient(scores, mask, tags, *chain):
    """The gradient for the scores; the value, and its gradient for the chain."""
    (expected, *of_chain), log_z = _expected(scores, mask, *chain)
    hot, *counts = _counts(mask, tags, scores)
    value = _score_of((hot, *counts), scores, *chain) - log_z
    value = ops.where(_exist(tags, mask, scores), value, float("nan"))
    # The counts of tags and transitions minus their expected counts.
    return [hot - expected], [value, *(n - e for n, e in zip(counts, of_chain))]


def _exist(tags, mask, scores):
    """Return whether every step that is not masked has a tag that exists, `(batch,)`."""
    return ops.all(ops.logical_not(mask) | ((tags >= 0) & (tags < scores.shape[-1])), axis=1)


def _counts(mask, tags, scores):
    """Return the counts of tags per step, of transitions, starts and ends in each chain."""
    count, timesteps = scores.shape[-1], ops.shape(scores)[1]
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
    return hot, pairs, moved[:, 0], last


def _score_of(counts, *values):
    """The score of a chain that has the counts."""
    return sum(
        # Zero times minus infinity is to be zero.
        ops.sum(ops.where(n > 0, n * value, 0), axis=tuple(range(1, len(n.shape))))
        for n, value in zip(counts, values)
    )


def _forward(arguments, constants):
    scores, *chain = arguments
    d_scores, value, *d_chain = run_compiled(_with_gradient, [scores, *constants], chain)
    return (value,), (d_scores, *d_chain)


def _backward(arguments, constants, gradients, upstream):
    """The gradients of each row, weighted; of the chain, which the rows share, their sum."""
    weighted = [ops.reshape(upstream[0], (-1,) + (1,) * (len(d.shape) - 1)) * d for d in gradients]
    return (weighted[0], *(ops.sum(d, axis=0) for d in weighted[1:]))


def _reference(arguments, constants):
    scores, *chain = arguments
    return tuple(_log_likelihood(scores, *constants, *chain)[1])


_LOG_LIKELIHOOD = CustomGradient(_forward, _backward, _reference)


def _viterbi(scores, mask, *chain):
    """The tags of the best chain, (batch, timesteps, 1) in the type of the scores; its score."""
    (best,) = _recursions((BEST,), scores, mask, *chain)
    return [_best_chain(best, mask, *chain)], [_score(best, mask, ops.max, chain[-1])]


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
        tag = argmax(delta + onward)
        onward = ops.where(seen, ops.take(into, tag, axis=0), onward)
        return (onward,), (ops.expand_dims(ops.cast(tag, delta.dtype), 1),)

    carry = (ops.zeros_like(best.final) + end,)
    _, (tags,) = loop(step, carry, (best.stack, seen), (1,), reverse=True)
    return ops.where(seen, tags, 0)

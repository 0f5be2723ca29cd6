"""Linear-chain conditional random fields: likelihood, marginals and Viterbi decoding.

A tag sequence y_1 ... y_n has the score (Lafferty, McCallum & Pereira 2001)

    s(y) = start[y_1] + sum_t scores[t, y_t] + sum_t transitions[y_t, y_{t+1}] + end[y_n]

and the probability exp(s(y)) / Z, where Z sums over all tag sequences. Masked steps, wherever they
are, do not belong to the sequence. A transition, start or end of minus infinity is impossible.

`potentials` is the triple of transitions `(from tag, to tag)`, start `(tags,)` and end `(tags,)`.
Forward, backward and Viterbi variables are kept relative to the best tag, so that neither long
sequences nor large scores lose accuracy. The recursions are sequential. A parallel scan over
products of transitions was 2.4 to 6 times slower (2 cores, 9 and 13 tags, 65 to 4,097 steps).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import keras
from keras import ops

from keras_seq._internal.export_target import dispatch_by_target, export_target
from keras_seq._internal.portable import argmax
from keras_seq._internal.types import Tensor
from keras_seq.scan.compiled import run_compiled
from keras_seq.scan.derivatives import CustomGradient, Tensors
from keras_seq.scan.exported_chain import exported_viterbi_and_marginals
from keras_seq.scan.log_space import NEG_INF, replace_neg_inf
from keras_seq.scan.loop import Carry, differentiable_loops, loop, shift

Potentials: TypeAlias = Sequence[Tensor]
"""Transitions `(from tag, to tag)`, start `(tags,)` and end `(tags,)`."""
Results: TypeAlias = tuple[list[Tensor], list[Tensor]]
"""Sequences and other tensors, as `run_compiled` takes them from a program."""


def log_likelihood(scores: Tensor, potentials: Potentials, mask: Tensor, tags: Tensor) -> Tensor:
    """Return the log probability of one tag sequence per row.

    It is differentiable to any order with respect to the finite scores and potentials.

    Args:
        scores: Finite scores `(batch, timesteps, tags)`.
        potentials: Transitions, start and end, see `Potentials`.
        mask: Bools `(batch, timesteps)`.
        tags: Tag ids `(batch, timesteps)`, arbitrary where masked.

    Returns:
        Log probabilities `(batch,)`: 0 for an empty sequence, NaN if a tag id does not exist.
    """
    arguments = [ops.where(ops.isfinite(a), a, ops.stop_gradient(a)) for a in (scores, *potentials)]
    constants = mask, ops.cast(tags, "int32")
    if keras.backend.backend() == "tensorflow":
        (value,) = _LOG_LIKELIHOOD(arguments, constants)
    else:
        # On JAX and torch, the backend's own gradient is as fast, or twice as fast.
        (value,) = run_compiled(_log_likelihood, [arguments[0], *constants], arguments[1:])
    return value


def marginals(scores: Tensor, potentials: Potentials, mask: Tensor) -> Tensor:
    """Return the probability of each tag at each step.

    The arguments are those of `log_likelihood`.

    Returns:
        Probabilities `(batch, timesteps, tags)`, zeros where masked.
    """
    return run_compiled(_marginals, [scores, mask], potentials)[0]


def viterbi(scores: Tensor, potentials: Potentials, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best tag sequence per row (Viterbi 1967).

    The arguments are those of `log_likelihood`.

    Returns:
        Tag ids `(batch, timesteps)`, int32, 0 where masked, and their scores `(batch,)`.
    """
    tags, score = run_compiled(_viterbi, [scores, mask], potentials)
    return ops.cast(tags[:, :, 0], "int32"), score


def viterbi_and_marginals(
    scores: Tensor, potentials: Potentials, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the tag ids of `viterbi` and the probabilities of `marginals`.

    An exported model computes both in one loop, where the cost depends on the number of operations.
    Compiled loops are faster separately.
    """
    if export_target() == "savedmodel" and keras.backend.backend() == "tensorflow":
        return exported_viterbi_and_marginals(scores, potentials, mask)
    if export_target() is None:
        return viterbi(scores, potentials, mask)[0], marginals(scores, potentials, mask)
    tags, probabilities = run_compiled(_viterbi_and_marginals, [scores, mask], potentials)
    return ops.cast(tags[:, :, 0], "int32"), probabilities


FORWARD, BACKWARD, BEST = "forward", "backward", "best"
"""Kinds of recursions: forward and backward variables (Rabiner 1989), and Viterbi variables."""


class _Recursion(NamedTuple):
    """Log variables of a recursion, relative to the best tag of each step."""

    stack: Tensor
    """Variables at each step, `(batch, timesteps, tags)`. Masked steps repeat the previous step if
    there is a log scale; otherwise they are undefined."""
    final: Tensor
    """Variables of the last step in scan order, `(batch, tags)`."""
    log_scale: Tensor | None
    """Sum of the subtracted scores of all steps, `(batch,)`."""


def _recursions(
    kinds: tuple[str, ...],
    scores: Tensor,
    mask: Tensor,
    potentials: Potentials,
    with_score: bool = True,
) -> Iterator[_Recursion]:
    """Yield a `_Recursion` of each kind, all computed as one batch; `with_score` adds log scales.

    A sequence starts from an additional tag, the boundary, which no transition reaches. The first
    step is thus computed as any other, wherever the mask places it. Impossible tags have `NEG_INF`,
    since minus infinity minus itself is NaN.
    """
    transitions, start, end = potentials
    num_tags = scores.shape[-1]
    boundary = ops.concatenate([ops.full((num_tags,), NEG_INF), ops.zeros((1,))])

    def extend_transitions(kind: str) -> Tensor:
        inner, outer = (
            (ops.transpose(transitions), end) if kind == BACKWARD else (transitions, start)
        )
        rows = ops.concatenate([inner, outer[None]], axis=0)
        return replace_neg_inf(ops.pad(rows, [[0, 0], [0, 1]], constant_values=NEG_INF))

    batch = ops.shape(scores)[0]
    kind_ids = ops.arange(len(kinds) * batch) // batch

    def repeat_rows(values: Sequence[Tensor]) -> Tensor:
        """Return one value per row, given one per kind."""
        return ops.take(ops.stack(values), kind_ids, axis=0)

    def repeat_sequences(forward: Tensor) -> Tensor:
        backward = ops.flip(forward, 1)
        return ops.concatenate([backward if k == BACKWARD else forward for k in kinds], axis=0)

    def reduce(x: Tensor) -> Tensor:
        if BEST not in kinds:
            return logsumexp(x, axis=1)
        best = ops.max(x, axis=1)
        return best if kinds == (BEST,) else ops.where(is_sum, logsumexp(x, axis=1), best)

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        (relative,) = carry
        score, is_unmasked = elements
        new = reduce(ops.expand_dims(relative, 2) + extended) + score
        # The scale is subtracted now and added later, so it needs no gradient.
        best = ops.stop_gradient(ops.max(new, axis=-1, keepdims=True))
        moved = new - best
        relative = ops.where(is_unmasked, moved, relative)
        return (relative,), (relative, best) if with_score else (moved,)

    extended = repeat_rows([extend_transitions(kind) for kind in kinds])
    true, false = ops.ones((1,), "bool"), ops.zeros((1,), "bool")
    is_sum = repeat_rows([true if k != BEST else false for k in kinds])
    scores = repeat_sequences(ops.pad(scores, [[0, 0], [0, 0], [0, 1]]))
    is_unmasked = repeat_sequences(ops.expand_dims(mask, 2))
    carry = (ops.cast(repeat_rows([boundary] * len(kinds)), scores.dtype),)
    widths = (num_tags + 1, 1) if with_score else (num_tags + 1,)
    (final,), (stack, *best) = loop(step, carry, (scores, is_unmasked), widths)
    results = [stack[:, :, :-1], final[:, :-1]]
    results += [ops.sum(ops.where(is_unmasked, b, 0), axis=(1, 2)) for b in best]
    per_kind = zip(*(ops.split(result, len(kinds), axis=0) for result in results))
    for kind, (stack, final, *log_scale) in zip(kinds, per_kind):
        stack_in_time = ops.flip(stack, 1) if kind == BACKWARD else stack
        yield _Recursion(stack_in_time, final, log_scale[0] if log_scale else None)


def _total_score(
    recursion: _Recursion, mask: Tensor, reduce: Callable[..., Tensor], end: Tensor
) -> Tensor:
    """Return the score `(batch,)` of a recursion, reduced over last tags; 0 if all is masked."""
    score = reduce(recursion.final + replace_neg_inf(end), axis=-1) + recursion.log_scale
    score = ops.where(score < NEG_INF / 2, float("-inf"), score)
    return ops.where(ops.any(mask, axis=1), score, 0)


@dispatch_by_target
def logsumexp(x: Tensor, axis: int) -> Tensor:
    """Return `ops.logsumexp` of finite numbers, with half as many operations.

    Args:
        x: Finite numbers.
        axis: Axis to sum over.
    """
    best = ops.stop_gradient(ops.max(x, axis=axis, keepdims=True))
    total = ops.sum(ops.exp(x - best), axis=axis, keepdims=True)
    return ops.squeeze(ops.log(total) + best, axis)


def _marginals(scores: Tensor, mask: Tensor, *potentials: Tensor) -> Results:
    both = _recursions((FORWARD, BACKWARD), scores, mask, potentials, with_score=False)
    return [_probabilities(scores, mask, *both)], []


def _probabilities(
    scores: Tensor, mask: Tensor, forward: _Recursion, backward: _Recursion
) -> Tensor:
    """Return the probability of each tag from the recursions in both directions."""
    # Both include the score of the step itself.
    log_weights = forward.stack + backward.stack - scores
    weights = ops.exp(log_weights - ops.max(log_weights, axis=-1, keepdims=True))
    return ops.where(mask[:, :, None], weights / ops.sum(weights, axis=-1, keepdims=True), 0)


def _expected_counts(
    scores: Tensor, mask: Tensor, potentials: Potentials
) -> tuple[list[Tensor], Tensor]:
    """Return the expected counts of tags, transitions, starts and ends, and log Z.

    The counts are the gradients of log Z for scores and potentials.
    """
    transitions, _, end = potentials
    forward, backward = _recursions((FORWARD, BACKWARD), scores, mask, potentials)
    probabilities = _probabilities(scores, mask, forward, backward)
    log_z = _total_score(forward, mask, logsumexp, end)

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        alpha, beta, is_inner = elements
        pairs = alpha[:, :, None] + transitions + beta[:, None, :]
        pairs = ops.exp(pairs - ops.max(pairs, axis=(1, 2), keepdims=True))
        scale = is_inner[:, :, None] / ops.sum(pairs, axis=(1, 2), keepdims=True)
        return (carry[0] + pairs * scale,), ()

    alphas = shift(ops.zeros_like(forward.final), forward.stack)
    zeros = ops.zeros_like(alphas[:, 0, :, None] + transitions)
    count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    first, last = (ops.expand_dims(mask & at, 2) for at in (count == 1, count == count[:, -1:]))
    is_inner = ops.cast(ops.expand_dims(mask, 2) & ops.logical_not(first), scores.dtype)
    (pairs,), () = loop(step, (zeros,), (alphas, backward.stack, is_inner), ())
    starts, ends = (ops.sum(ops.where(at, probabilities, 0), axis=1) for at in (first, last))
    return [probabilities, pairs, starts, ends], log_z


def _log_likelihood(scores: Tensor, mask: Tensor, tags: Tensor, *potentials: Tensor) -> Results:
    """Return the log likelihood, differentiable to any order."""
    with differentiable_loops():
        (forward,) = _recursions((FORWARD,), scores, mask, potentials)
    log_z = _total_score(forward, mask, logsumexp, potentials[-1])
    value = _score_of_counts(_counts(mask, tags, scores), scores, *potentials)
    return [], [ops.where(_all_exist(tags, mask, scores), value - log_z, float("nan"))]


def _with_gradient(scores: Tensor, mask: Tensor, tags: Tensor, *potentials: Tensor) -> Results:
    """Return the gradient for the scores; the log likelihood, its gradients for the potentials."""
    (expected, *expected_pairs), log_z = _expected_counts(scores, mask, potentials)
    one_hot, *counts = _counts(mask, tags, scores)
    value = _score_of_counts((one_hot, *counts), scores, *potentials) - log_z
    value = ops.where(_all_exist(tags, mask, scores), value, float("nan"))
    # Gradients are counts minus expected counts.
    return [one_hot - expected], [value, *(n - e for n, e in zip(counts, expected_pairs))]


def _all_exist(tags: Tensor, mask: Tensor, scores: Tensor) -> Tensor:
    """Return whether all unmasked tag ids exist, `(batch,)`."""
    return ops.all(ops.logical_not(mask) | ((tags >= 0) & (tags < scores.shape[-1])), axis=1)


def _counts(mask: Tensor, tags: Tensor, scores: Tensor) -> Tensors:
    """Return the counts of tags per step, and of transitions, starts and ends per row."""
    num_tags, timesteps = scores.shape[-1], ops.shape(scores)[1]
    # Masked steps get no tag, so that they count as zero.
    tags = ops.where(mask & (tags < num_tags), tags, -1)
    one_hot = ops.one_hot(tags, num_tags, dtype=scores.dtype)
    # Masked steps move to the end, so that neighbors in the sequence are neighbors in time.
    t = ops.arange(timesteps)
    order = ops.argsort(ops.where(mask, t, timesteps + t), axis=1)
    moved = ops.one_hot(ops.take_along_axis(tags, order, axis=1), num_tags, dtype=scores.dtype)
    length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    last = ops.sum(moved * ops.cast(t == length - 1, moved.dtype)[:, :, None], axis=1)
    pairs = ops.matmul(ops.transpose(moved[:, :-1], (0, 2, 1)), moved[:, 1:])
    return one_hot, pairs, moved[:, 0], last


def _score_of_counts(counts: Tensors, *values: Tensor) -> Tensor:
    """Return the score of a tag sequence with the given counts, `(batch,)`."""
    return sum(
        # A zero count times minus infinity would be NaN.
        ops.sum(ops.where(n > 0, n * value, 0), axis=tuple(range(1, len(n.shape))))
        for n, value in zip(counts, values)
    )


def _forward(arguments: Tensors, constants: Tensors) -> tuple[Tensors, Tensors]:
    scores, *potentials = arguments
    d_scores, value, *d_potentials = run_compiled(_with_gradient, [scores, *constants], potentials)
    return (value,), (d_scores, *d_potentials)


def _backward(
    arguments: Tensors, constants: Tensors, gradients: Tensors, upstream: Tensors
) -> Tensors:
    """Return the gradients of each row times upstream; for the potentials, summed over rows."""
    del arguments, constants
    weighted = [ops.reshape(upstream[0], (-1,) + (1,) * (len(d.shape) - 1)) * d for d in gradients]
    return (weighted[0], *(ops.sum(d, axis=0) for d in weighted[1:]))


def _reference(arguments: Tensors, constants: Tensors) -> Tensors:
    scores, *potentials = arguments
    return tuple(_log_likelihood(scores, *constants, *potentials)[1])


_LOG_LIKELIHOOD = CustomGradient(_forward, _backward, _reference)


def _viterbi(scores: Tensor, mask: Tensor, *potentials: Tensor) -> Results:
    """Return the best tags `(batch, timesteps, 1)` in the data type of the scores; their score."""
    (best,) = _recursions((BEST,), scores, mask, potentials)
    tags = _backtrack(best, mask, potentials)
    return [tags], [_total_score(best, mask, ops.max, potentials[-1])]


def _viterbi_and_marginals(scores: Tensor, mask: Tensor, *potentials: Tensor) -> Results:
    """Return the best tags, as `_viterbi`, and the probability of each tag."""
    kinds = (FORWARD, BACKWARD, BEST)
    forward, backward, best = _recursions(kinds, scores, mask, potentials, with_score=False)
    tags = _backtrack(best, mask, potentials)
    return [tags, _probabilities(scores, mask, forward, backward)], []


def _backtrack(best: _Recursion, mask: Tensor, potentials: Potentials) -> Tensor:
    """Return the tags of the best sequence, selected from the last to the first."""
    transitions, _, end = potentials
    is_unmasked, to_previous = ops.expand_dims(mask, 2), ops.transpose(transitions)

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        (best_next,) = carry
        delta, is_unmasked = elements
        tag = argmax(delta + best_next)
        best_next = ops.where(is_unmasked, ops.take(to_previous, tag, axis=0), best_next)
        return (best_next,), (ops.expand_dims(ops.cast(tag, delta.dtype), 1),)

    carry = (ops.zeros_like(best.final) + end,)
    _, (tags,) = loop(step, carry, (best.stack, is_unmasked), (1,), reverse=True)
    return ops.where(is_unmasked, tags, 0)

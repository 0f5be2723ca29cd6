"""CTC prefix beam search with a language model."""

import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

from keras_seq._internal.ranges import Range
from keras_seq._internal.types import Array, ArrayLike

Labels: TypeAlias = tuple[int, ...]
"""Ids of labels, from 1."""
Scorer: TypeAlias = Callable[[list[Labels]], Array]
"""Function from prefixes to the log probabilities of the next label, `(prefixes, labels + 1)`.
Column 0 is the end."""
Ends: TypeAlias = tuple[float, float]
"""Log probabilities of the alignments of a prefix that end in a blank, and in a label."""

NEG_INF = -np.inf


def ctc_beam_search(
    log_probs: ArrayLike,
    beam_width: int,
    score_next: Scorer,
    lm_weight: float = 0.5,
    length_bonus: float = 0.0,
) -> tuple[Labels, float]:
    """Return the labels with the highest score (prefix search: Graves 2012; Hannun et al. 2014).

    The score of labels is

        log p(labels | input) + lm_weight * log p(labels) + length_bonus * length

    where the first term sums over all alignments. The second comes from the language model and
    includes the end. For a search without a language model use `keras.ops.ctc_decode`.

    >>> import numpy as np
    >>> from keras_seq.decoding import ctc_beam_search
    >>> log_probs = np.log([[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]])
    >>> def score_next(prefixes):  # a language model that prefers label 2
    ...     return np.log([[0.4, 0.1, 0.5]] * len(prefixes))
    >>> ctc_beam_search(log_probs, beam_width=8, score_next=score_next, lm_weight=1.0)[0]
    (2,)

    Args:
        log_probs: Natural log probabilities `(timesteps, labels + 1)`. Column 0 is the blank.
        beam_width: Number of prefixes to keep, at least 1.
        score_next: Function from prefixes, tuples of labels from 1, to the log probabilities of the
            next label `(prefixes, labels + 1)`. Column 0 is the end. A label with minus infinity is
            excluded, even if `lm_weight` is 0. A `Lexicon` is such a function.
        lm_weight: Weight of the language model, at least 0.
        length_bonus: Score per label, to offset the preference of a language model for short texts.

    Returns:
        Labels from 1, and their score. If the language model lets no prefix of the beam end, nor
        the empty one, the labels are empty and the score is minus infinity.

    Raises:
        InputError: If `beam_width` is below 1, `lm_weight` is negative, or a number is not finite.
    """
    Range(1, is_integer=True).check("beam_width", beam_width)
    Range(0).check("lm_weight", lm_weight)
    Range().check("length_bonus", length_bonus)
    log_probs = np.asarray(log_probs, "float64")
    model = _LanguageModel(score_next, lm_weight, length_bonus)
    beam: dict[Labels, Ends] = {(): (0.0, NEG_INF)}
    after = dict(beam)
    for row in log_probs.tolist():
        model.score_prefixes(beam)
        after = _extend(beam, row, model)
        ranked = sorted(after, key=lambda prefix: _log_add(*after[prefix]) + model.scores[prefix])
        beam = {prefix: after[prefix] for prefix in ranked[-beam_width:]}
    # With a lexicon, all texts of the beam may stop within a word.
    empty: dict[Labels, Ends] = {(): (log_probs[:, 0].sum(), NEG_INF)}
    scores = model.final_scores(beam) or model.final_scores(after) or model.final_scores(empty)
    if not scores:
        return (), NEG_INF
    best = max(scores, key=lambda prefix: scores[prefix])
    return best, float(scores[best])


class _LanguageModel:
    """Cache of weighted language model scores of prefixes.

    Args:
        score_next: As in `ctc_beam_search`.
        weight: Weight of the language model.
        length_bonus: Score per label.
    """

    def __init__(self, score_next: Scorer, weight: float, length_bonus: float) -> None:
        self._score_next, self._weight, self._length_bonus = score_next, weight, length_bonus
        self.scores: dict[Labels, float] = {(): 0.0}
        self.allowed: dict[Labels, list[int]] = {}
        """Labels that may follow a prefix."""
        self._next_scores: dict[Labels, Array] = {}

    def score_prefixes(self, prefixes: Iterable[Labels]) -> None:
        """Score the labels that may follow prefixes, in one call of the language model."""
        new = [prefix for prefix in prefixes if prefix not in self._next_scores]
        if new:
            self._next_scores.update(zip(new, self._score_next(new)))
            for prefix in new:
                following = self._next_scores[prefix][1:]
                self.allowed[prefix] = (1 + np.flatnonzero(following > NEG_INF)).tolist()

    def append(self, prefix: Labels, label: int) -> Labels:
        """Return the prefix with one more label, and store its score."""
        longer = (*prefix, label)
        if longer not in self.scores:
            score = self._weighted(self._next_scores[prefix][label])
            self.scores[longer] = self.scores[prefix] + score + self._length_bonus
        return longer

    def final_scores(self, prefixes: dict[Labels, Ends]) -> dict[Labels, float]:
        """Return the total scores of the prefixes that may end."""
        self.score_prefixes(prefixes)
        scores = {
            prefix: _log_add(*ends)
            + self.scores[prefix]
            + self._weighted(self._next_scores[prefix][0])
            for prefix, ends in prefixes.items()
        }
        return {prefix: score for prefix, score in scores.items() if score > NEG_INF}

    def _weighted(self, log_p: float) -> float:
        # Zero times minus infinity would be NaN.
        return self._weight * log_p if log_p > NEG_INF else NEG_INF


def _extend(
    beam: dict[Labels, Ends], row: list[float], model: _LanguageModel
) -> dict[Labels, Ends]:
    """Return the prefixes after one more time step.

    Args:
        beam: Prefixes before it.
        row: Log probabilities of the blank and the labels at the time step.
        model: Language model, which has scored the prefixes.
    """
    after: dict[Labels, Ends] = {}

    def add(prefix: Labels, blank: float, label: float) -> None:
        before = after.get(prefix, (NEG_INF, NEG_INF))
        after[prefix] = _log_add(before[0], blank), _log_add(before[1], label)

    for prefix, (blank, label) in beam.items():
        total = _log_add(blank, label)
        add(prefix, total + row[0], label + row[prefix[-1]] if prefix else NEG_INF)
        for next_label in model.allowed[prefix]:
            # A repeated label is a new one only after a blank.
            is_repeated = prefix and prefix[-1] == next_label
            longer = model.append(prefix, next_label)
            add(longer, NEG_INF, (blank if is_repeated else total) + row[next_label])
    return after


def _log_add(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b)), faster than `np.logaddexp` for two floats."""
    low, high = sorted((a, b))
    return high if low == NEG_INF else high + math.log1p(math.exp(low - high))

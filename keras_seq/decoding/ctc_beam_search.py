"""The likeliest text of CTC under a language model."""

import math

import numpy as np

from keras_seq._internal.errors import InputError


def ctc_beam_search(log_probs, beam_width, foretell, weight=0.5, bonus=0.0):
    """The text of the highest score (prefix search: Graves 2012; Hannun et al. 2014),

        log p(text | sound) + weight * log p(text) + bonus * letters

    where the first adds up all alignments, and the second is of the language model, the end of the
    text counted in. Without a language model, `keras.ops.ctc_decode` does the same.

    Args:
        log_probs: Natural logarithms, `(steps, letters + 1)`; column 0 is the blank's.
        beam_width: Beginnings of texts that are followed at a time.
        foretell: Takes a list of beginnings, tuples of letters from 1, and returns the log
            probability of what comes next, `(beginnings, letters + 1)`; column 0 is the end's.
            What is impossible (minus infinity) is never written, whatever the weight, such as by a
            `Lexicon`.
        weight: Weight of the language model, 0 or more.
        bonus: For each letter, since a language model favours short texts.

    Returns:
        The letters, a tuple of numbers from 1, and the score. It is minus infinity only if the
        language model lets neither the empty text end nor any of the texts that were followed.

    Raises:
        InputError: If `beam_width` is below 1, or `weight` is negative or not finite.
    """
    if beam_width < 1:
        raise InputError(f"beam_width must be at least 1, got {beam_width}.")
    if not 0 <= weight < np.inf:
        raise InputError(f"weight must be a finite number from 0 on, got {weight}.")
    never = -np.inf
    log_probs = np.asarray(log_probs, "float64")
    # Of each beginning the log probability that it ends in a blank, or in its last letter.
    beam = {(): (0.0, never)}
    # Of each beginning its own score, and what may come next.
    prior, next_ones, possible = {(): 0.0}, {}, {}

    def know(beginnings):
        new = [one for one in beginnings if one not in next_ones]
        if new:
            next_ones.update(zip(new, foretell(new)))
            for one in new:
                possible[one] = (1 + np.flatnonzero(next_ones[one][1:] > never)).tolist()

    def weighted(log_prob):
        # Zero times minus infinity is to stay impossible.
        return weight * log_prob if log_prob > never else never

    after: dict = dict(beam)
    for row in log_probs.tolist():
        know(beam)
        after = {}

        def add(text, blank, letter, after=after):
            before = after.get(text, (never, never))
            after[text] = _added(before[0], blank), _added(before[1], letter)

        for text, (blank, letter) in beam.items():
            either = _added(blank, letter)
            add(text, either + row[0], letter + row[text[-1]] if text else never)
            for number in possible[text]:
                # The same letter again is another one only behind a blank.
                again = text and text[-1] == number
                longer = (*text, number)
                add(longer, never, (blank if again else either) + row[number])
                if longer not in prior:
                    prior[longer] = prior[text] + weighted(next_ones[text][number]) + bonus
        ranked = sorted(after, key=lambda text: _added(*after[text]) + prior[text])
        beam = {text: after[text] for text in ranked[-beam_width:]}

    def ended(texts):
        """Return the scores of the texts that may end."""
        know(texts)
        scores = {
            text: _added(*ends) + prior[text] + weighted(next_ones[text][0])
            for text, ends in texts.items()
        }
        return {text: score for text, score in scores.items() if score > never}

    # The beam may hold nothing but texts in the middle of a word.
    empty = {(): (log_probs[:, 0].sum(), never)}
    scores = ended(beam) or ended(after) or ended(empty) or {(): never}
    best = max(scores, key=lambda text: scores[text])
    return best, float(scores[best])


def _added(one, other):
    """log(exp(one) + exp(other)), of which NumPy's takes long for two single numbers."""
    less, more = sorted((one, other))
    return more if less == -np.inf else more + math.log1p(math.exp(less - more))

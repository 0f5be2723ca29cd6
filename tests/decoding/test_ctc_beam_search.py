"""CTC beam search with a language model, against enumeration of all texts and alignments."""

import itertools

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.decoding import ctc_beam_search

LABELS, STEPS = 2, 4


def ctc_score(log_probs, text):
    """Return log p(text | input), summed over all alignments."""
    total = -np.inf
    for path in itertools.product(range(LABELS + 1), repeat=STEPS):
        if tuple(n for n, _ in itertools.groupby(path) if n) == text:
            total = np.logaddexp(total, log_probs[np.arange(STEPS), list(path)].sum())
    return total


def bigram_model(seed):
    """Return `score_next` of a random bigram model, and a function to the log p of a text."""
    table = np.random.default_rng(seed).normal(0, 2, (LABELS + 1, LABELS + 1))
    table -= np.log(np.exp(table).sum(axis=1, keepdims=True))

    def score_next(prefixes):
        return table[[text[-1] if text else 0 for text in prefixes]]

    def text_score(text):
        return sum(table[a, b] for a, b in itertools.pairwise((0, *text, 0)))

    return score_next, text_score


@pytest.mark.parametrize("lm_weight", [0.0, 0.7])
@pytest.mark.parametrize("length_bonus", [0.0, 0.6])
def test_finds_the_text_with_the_highest_score(lm_weight, length_bonus):
    num_equal = 0
    for seed in range(10):
        logits = np.random.default_rng(seed).normal(0, 1, (STEPS, LABELS + 1))
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        score_next, text_score = bigram_model(seed)
        texts = [
            text
            for length in range(STEPS + 1)
            for text in itertools.product(range(1, LABELS + 1), repeat=length)
        ]
        scores = {
            text: ctc_score(log_probs, text)
            + lm_weight * text_score(text)
            + length_bonus * len(text)
            for text in texts
        }
        best = max(scores, key=scores.get)
        text, score = ctc_beam_search(log_probs, 100, score_next, lm_weight, length_bonus)
        assert text == best and score == pytest.approx(scores[best], abs=1e-9)
        # A narrow beam may find another text, with at most the same score.
        text, score = ctc_beam_search(log_probs, 1, score_next, lm_weight, length_bonus)
        assert score <= scores[best] + 1e-9
        num_equal += best == max(texts, key=lambda text: ctc_score(log_probs, text))
    assert (num_equal < 10) == bool(lm_weight or length_bonus)


def test_arguments_out_of_range():
    with pytest.raises(InputError, match="at least 1, got 0"):
        ctc_beam_search(np.zeros((2, 3)), 0, None)
    with pytest.raises(InputError, match="lm_weight must be a number of at least 0, got -1"):
        ctc_beam_search(np.zeros((2, 3)), 1, None, lm_weight=-1)


def test_the_score_is_minus_infinity_if_no_text_may_end():
    def score_next(prefixes):
        return np.full((len(prefixes), 3), -np.inf)

    assert ctc_beam_search(np.zeros((2, 3)), 4, score_next) == ((), -np.inf)

"""CTC under a language model, against all texts and alignments written out."""

import itertools

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.decoding import ctc_beam_search

LETTERS, STEPS = 2, 4


def of_text(log_probs, text):
    """log p(text | sound), over all alignments."""
    total = -np.inf
    for path in itertools.product(range(LETTERS + 1), repeat=STEPS):
        if tuple(n for n, _ in itertools.groupby(path) if n) == text:
            total = np.logaddexp(total, log_probs[np.arange(STEPS), list(path)].sum())
    return total


def language(seed):
    """A language model of pairs of letters, the end being 0, and the log probability of a text."""
    table = np.random.default_rng(seed).normal(0, 2, (LETTERS + 1, LETTERS + 1))
    table -= np.log(np.exp(table).sum(axis=1, keepdims=True))

    def next_scores(beginnings):
        return table[[text[-1] if text else 0 for text in beginnings]]

    def of_whole(text):
        return sum(table[a, b] for a, b in itertools.pairwise((0, *text, 0)))

    return next_scores, of_whole


@pytest.mark.parametrize("weight", [0.0, 0.7])
@pytest.mark.parametrize("bonus", [0.0, 0.6])
def test_finds_the_best_of_all_texts(weight, bonus):
    found_without = 0
    for seed in range(10):
        logits = np.random.default_rng(seed).normal(0, 1, (STEPS, LETTERS + 1))
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        next_scores, of_whole = language(seed)
        texts = [
            text
            for length in range(STEPS + 1)
            for text in itertools.product(range(1, LETTERS + 1), repeat=length)
        ]
        scores = {
            text: of_text(log_probs, text) + weight * of_whole(text) + bonus * len(text)
            for text in texts
        }
        best = max(scores, key=scores.get)
        text, score = ctc_beam_search(log_probs, 100, next_scores, weight, bonus)
        assert text == best and score == pytest.approx(scores[best], abs=1e-9)
        # What a narrow beam finds has its own score, which is no better.
        text, score = ctc_beam_search(log_probs, 1, next_scores, weight, bonus)
        assert score <= scores[best] + 1e-9
        found_without += best == max(texts, key=lambda text: of_text(log_probs, text))
    assert (found_without < 10) == bool(weight or bonus)


def test_arguments_out_of_range():
    with pytest.raises(InputError, match="at least 1, got 0"):
        ctc_beam_search(np.zeros((2, 3)), 0, None)
    with pytest.raises(InputError, match="lm_weight must be a finite number of at least 0, got -1"):
        ctc_beam_search(np.zeros((2, 3)), 1, None, lm_weight=-1)


def test_without_any_text_that_may_end_the_score_says_so():
    def next_scores(beginnings):
        return np.full((len(beginnings), 3), -np.inf)

    assert ctc_beam_search(np.zeros((2, 3)), 4, next_scores) == ((), -np.inf)

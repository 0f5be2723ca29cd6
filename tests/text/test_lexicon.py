"""Tests of the lexicon against an enumeration of all texts."""

import itertools

import numpy as np
import pytest

from keras_seq.decoding import Lexicon, ctc_beam_search

ALPHABET, WORDS, STEPS = "ab ", ["a", "ab", "bb"], 4


def to_labels(text):
    return tuple(ALPHABET.index(character) + 1 for character in text)


def test_allowed_next_labels():
    lexicon = Lexicon(WORDS, ALPHABET)

    def next_characters(text):
        [row] = lexicon([to_labels(text)])
        assert set(row) <= {0.0, -np.inf}
        # A dot stands for the end.
        return "".join(character for character, value in zip("." + ALPHABET, row) if value == 0)

    prefixes = ["", "a", "ab", "b", "a ", "bb a", "a b"]
    assert list(map(next_characters, prefixes)) == [".ab", ".b ", ". ", "b", "ab", ".b ", "b"]


def test_search_finds_the_best_text_of_known_words():
    texts = {"", *WORDS, *(f"{first} {second}" for first in WORDS for second in WORDS)}
    for seed in range(8):
        logits = np.random.default_rng(seed).normal(0, 2, (STEPS, len(ALPHABET) + 1))
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        scores = dict.fromkeys(texts, -np.inf)
        for path in itertools.product(range(len(ALPHABET) + 1), repeat=STEPS):
            text = "".join(ALPHABET[n - 1] for n, _ in itertools.groupby(path) if n)
            if text in scores:
                log_prob = log_probs[np.arange(STEPS), list(path)].sum()
                scores[text] = np.logaddexp(scores[text], log_prob)
        labels, score = ctc_beam_search(log_probs, 100, Lexicon(WORDS, ALPHABET), 1.0)
        best = max(scores, key=scores.get)
        assert labels == to_labels(best) and score == pytest.approx(scores[best])


def test_without_a_space_there_is_one_word():
    [row] = Lexicon(["ab"], "ab")([(1, 2)])
    assert row.tolist() == [0.0, -np.inf, -np.inf]


@pytest.mark.parametrize("weight", [0, 0.5])
@pytest.mark.parametrize("beam_width", [1, 8])
def test_zero_weight_still_restricts_to_known_words(weight, beam_width):
    for seed in range(20):
        logits = np.random.default_rng(seed).normal(0, 2, (STEPS, len(ALPHABET) + 1))
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        labels, score = ctc_beam_search(
            log_probs, beam_width, Lexicon(WORDS, ALPHABET), lm_weight=weight
        )
        words = "".join(ALPHABET[label - 1] for label in labels).split(" ")
        assert np.isfinite(score)
        assert words == [""] or set(words) <= set(WORDS)


def test_incomplete_words_are_not_returned():
    # "b" begins "bb" but is not a word. The beam contains nothing else.
    log_probs = np.log(np.array([[0.3, 0.1, 0.5, 0.1]]))
    labels, score = ctc_beam_search(log_probs, 1, Lexicon(WORDS, ALPHABET), lm_weight=0)
    assert labels == () and score == pytest.approx(np.log(0.3))

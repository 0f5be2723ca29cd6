"""A prefix tree of words, against all texts written out."""

import itertools

import numpy as np
import pytest

from keras_seq.decoding import Lexicon, ctc_beam_search

ALPHABET, WORDS, STEPS = "ab ", ["a", "ab", "bb"], 4


def spelt(text):
    return tuple(ALPHABET.index(letter) + 1 for letter in text)


def test_what_may_come_next():
    lexicon = Lexicon(WORDS, ALPHABET)

    def after(text):
        [row] = lexicon([spelt(text)])
        assert set(row) <= {0.0, -np.inf}
        return "".join(letter for letter, value in zip("." + ALPHABET, row) if value == 0)

    # A dot is the end.
    beginnings = ["", "a", "ab", "b", "a ", "bb a", "a b"]
    assert list(map(after, beginnings)) == [".ab", ".b ", ". ", "b", "ab", ".b ", "b"]


def test_the_search_finds_the_best_text_of_known_words():
    texts = {"", *WORDS, *(f"{one} {other}" for one in WORDS for other in WORDS)}
    for seed in range(8):
        logits = np.random.default_rng(seed).normal(0, 2, (STEPS, len(ALPHABET) + 1))
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        scores = dict.fromkeys(texts, -np.inf)
        for path in itertools.product(range(len(ALPHABET) + 1), repeat=STEPS):
            text = "".join(ALPHABET[n - 1] for n, _ in itertools.groupby(path) if n)
            if text in scores:
                here = log_probs[np.arange(STEPS), list(path)].sum()
                scores[text] = np.logaddexp(scores[text], here)
        found, score = ctc_beam_search(log_probs, 100, Lexicon(WORDS, ALPHABET), 1.0)
        best = max(scores, key=scores.get)
        assert found == spelt(best) and score == pytest.approx(scores[best])


def test_without_a_blank_there_is_one_word():
    [row] = Lexicon(["ab"], "ab")([(1, 2)])
    assert row.tolist() == [0.0, -np.inf, -np.inf]


@pytest.mark.parametrize("weight", [0, 0.5])
@pytest.mark.parametrize("beam_width", [1, 8])
def test_a_weight_of_zero_still_writes_words_only(weight, beam_width):
    for seed in range(20):
        logits = np.random.default_rng(seed).normal(0, 2, (STEPS, len(ALPHABET) + 1))
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        letters, score = ctc_beam_search(
            log_probs, beam_width, Lexicon(WORDS, ALPHABET), lm_weight=weight
        )
        words = "".join(ALPHABET[number - 1] for number in letters).split(" ")
        assert np.isfinite(score)
        assert words == [""] or set(words) <= set(WORDS)


def test_in_the_middle_of_every_word_the_best_whole_word_is_taken():
    # "b" leads on to "bb" and is none by itself; the beam holds it alone.
    log_probs = np.log(np.array([[0.3, 0.1, 0.5, 0.1]]))
    letters, score = ctc_beam_search(log_probs, 1, Lexicon(WORDS, ALPHABET), lm_weight=0)
    assert letters == () and score == pytest.approx(np.log(0.3))

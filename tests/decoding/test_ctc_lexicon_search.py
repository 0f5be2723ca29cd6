"""The search in tensors: against `ctc_beam_search`, and against enumeration of all alignments."""

import itertools

import numpy as np
import pytest
from helpers import BACKEND, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_seq.decoding import Lexicon, ctc_beam_search
from keras_seq.decoding.ctc_lexicon_search import ctc_lexicon_search

ALPHABET = "ab "
STEPS = 7
EXAMPLES = 25 if BACKEND == "tensorflow" else 3


def random_log_probs(seed, batch=1, steps=STEPS, scale=2.0):
    logits = np.random.default_rng(seed).normal(0, scale, (batch, steps, len(ALPHABET) + 1))
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype("float32")


def search(log_probs, num_steps, words, beam_width):
    """Return the labels and the score of each sequence."""
    automaton = Lexicon(words, ALPHABET).automaton()
    num_steps = np.array(num_steps, "int32")
    labels, scores = map(to_numpy, ctc_lexicon_search(log_probs, num_steps, automaton, beam_width))
    texts = [tuple(row[row > 0].tolist()) for row in labels]
    for text, row in zip(texts, labels, strict=True):
        assert tuple(row) == text + (0,) * (len(row) - len(text))
    return list(zip(texts, scores.tolist(), strict=True))


def end_with_blanks(log_probs, num_steps):
    """Give the blank probability 1 after the end of each sequence."""
    ended = log_probs.copy()
    for row, steps in zip(ended, num_steps, strict=True):
        row[steps:] = -np.inf
        row[steps:, 0] = 0.0
    return ended


@pytest.mark.slow
@settings(max_examples=EXAMPLES)
@given(
    words=st.lists(st.text("ab", min_size=1, max_size=4), max_size=5, unique=True),
    beam_width=st.sampled_from([1, 2, 3, 5, 16]),
    num_steps=st.lists(st.integers(1, STEPS), min_size=6, max_size=6),
    seed=st.integers(0, 2**16),
)
def test_equals_the_search_over_prefixes(words, beam_width, num_steps, seed):
    log_probs = random_log_probs(seed, batch=6)
    results = search(end_with_blanks(log_probs, num_steps), num_steps, words, beam_width)
    for matrix, steps, (text, score) in zip(log_probs, num_steps, results, strict=True):
        expected = ctc_beam_search(matrix[:steps], beam_width, Lexicon(words, ALPHABET), 1.0)
        assert text == expected[0]
        assert score == pytest.approx(expected[1], abs=1e-4)


def test_a_wide_beam_finds_the_best_text_of_all_alignments():
    words, steps, space = ["a", "ab", "bb"], 4, 3
    to_label = {character: label for label, character in enumerate(ALPHABET, 1)}
    spellings = {tuple(to_label[character] for character in word) for word in words}
    log_probs = random_log_probs(len(words), batch=8, steps=steps)
    paths = list(itertools.product(range(len(ALPHABET) + 1), repeat=steps))
    texts = [tuple(label for label, _ in itertools.groupby(path) if label) for path in paths]

    def is_known(text):
        groups = itertools.groupby(text, lambda label: label == space)
        parts = [tuple(labels) for _, labels in groups]
        is_spaced = all(part == (space,) for part in parts[1::2])
        return not text or (len(parts) % 2 == 1 and is_spaced and spellings.issuperset(parts[::2]))

    known = [(path, text) for path, text in zip(paths, texts, strict=True) if is_known(text)]
    for matrix, (text, score) in zip(
        log_probs.astype("float64"), search(log_probs, [steps] * 8, words, 60), strict=True
    ):
        sums = {}
        for path, known_text in known:
            log_p = matrix[np.arange(steps), list(path)].sum()
            sums[known_text] = np.logaddexp(sums.get(known_text, -np.inf), log_p)
        assert text == max(sums, key=sums.get)
        assert score == pytest.approx(sums[text], abs=1e-4)


def test_without_a_complete_word_in_the_beam():
    # "b" begins "bb" but is not a word. In the first sequence, the candidates of the last step
    # contain the empty text; in the second, the beam has left it before.
    p = [[[0.3, 0.1, 0.5, 0.1], [1, 0, 0, 0]], [[0.1, 0.1, 0.7, 0.1], [0.2, 0.2, 0.1, 0.5]]]
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array(p, "float32"))
    results = search(log_probs, [1, 2], ["bb"], beam_width=1)
    assert [text for text, _ in results] == [(), ()]
    assert [score for _, score in results] == pytest.approx(np.log([0.3, 0.1 * 0.2]), abs=1e-5)

"""Alignment of letters and phonemes against all alignments of small pairs."""

import itertools

import numpy as np
import pytest

from keras_seq.text import alignment
from keras_seq.text.alignment import align

WORDS = {"cab": "kab", "back": "bak", "box": "boks", "ox": "oks", "cob": "kob", "kick": "kik"}


def as_ids(texts):
    return [np.array([ord(letter) - ord("a") + 1 for letter in text]) for text in texts]


def chunks_of(words):
    """Return each word's letters with their phonemes."""
    texts = []
    for (word, sounds), sizes in zip(words.items(), align(as_ids(words), as_ids(words.values()))):
        ends = np.cumsum(sizes)
        texts.append([(w, sounds[e - n : e]) for w, n, e in zip(word, sizes, ends)])
    return texts


def test_letters_with_their_sounds():
    pairs = {pair for word in chunks_of(WORDS) for pair in word}
    assert {("b", "b"), ("a", "a"), ("o", "o"), ("x", "ks"), ("i", "i")} <= pairs
    assert ("x", "k") not in pairs


def all_alignments(table, source, target):
    """Yield the sizes of each alignment, its probability, and its entries of the table."""
    for sizes in itertools.product(range(3), repeat=len(source)):
        if sum(sizes) == len(target):
            parts = zip(source, sizes, np.cumsum(sizes))
            entries = [(token, *[*target[end - n : end], 0, 0][:2]) for token, n, end in parts]
            yield sizes, np.prod([table[entry] for entry in entries]), entries


@pytest.fixture
def random_pairs():
    random = np.random.default_rng(0)
    sources, targets = [random.integers(1, 4, (20, length)) for length in (3, 4)]
    return random.uniform(size=(4, 4, 4)), sources, targets


def test_the_best_alignment_has_the_largest_probability(random_pairs):
    table, sources, targets = random_pairs
    best = alignment._Batch(sources, targets, np.arange(20)).best(table)
    for source, target, sizes in zip(sources, targets, best):
        scores = {sizes: p for sizes, p, _ in all_alignments(table, source, target)}
        assert scores[tuple(sizes)] == pytest.approx(max(scores.values()))


def test_expected_counts_are_those_of_all_alignments(random_pairs):
    table, sources, targets = random_pairs
    counts, expected = np.zeros_like(table), np.zeros_like(table)
    alignment._Batch(sources, targets, np.arange(20)).add_counts(table, counts)
    for source, target in zip(sources, targets):
        rows = [*all_alignments(table, source, target)]
        total = sum(p for _, p, _ in rows)
        for _, p, entries in rows:
            for entry in entries:
                expected[entry] += p / total
    np.testing.assert_allclose(counts, expected, atol=1e-9)


def test_pairs_that_are_not_aligned(monkeypatch):
    too_long, good = align(*map(as_ids, (["a", "ab"], ["bcd", "bc"])))
    assert too_long is None and good.sum() == 2
    assert align([], []) == []
    assert align([np.zeros(0, int)], [np.zeros(0, int)]) == [None]
    monkeypatch.setattr(alignment, "MAX_TABLE", 5)
    assert align(*map(as_ids, (["ab"], ["bc"]))) == [None]


@pytest.mark.parametrize("rows", [1, 2_000])
def test_the_number_of_pairs_at_a_time_does_not_matter(monkeypatch, rows):
    monkeypatch.setattr(alignment, "ROWS", rows)
    expected = [[("c", "k"), ("a", "a"), ("b", "b")]]
    assert chunks_of(WORDS)[:1] == expected

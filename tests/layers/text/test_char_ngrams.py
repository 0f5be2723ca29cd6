"""Character n-grams, compared with n-grams as strings that Python cuts."""

import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.text.code_points import token_code_points

TEXTS = [
    ["A", "charming", "film", "!"],
    ["CHARM", "less", "Überfluß", "中文", "😀", "charming"],
    ["x" * 19 + "yz", "😀😀"],  # cut after 20 characters
]
LABELS = np.array([[1, 0], [0, 1], [0.25, 0.75]])


def codes(texts=TEXTS, length=None):
    return token_code_points(texts, 20, length)


def ngrams(token, sizes=range(3, 7)):
    text = f"\x01{token[:20].lower()}\x01"
    return [text[i : i + n] for n in sizes for i in range(len(text) - n + 1)]


def test_equal_ngrams_have_equal_hashes():
    expert = layers.CharNgramExpert(2, num_buckets=2**24)
    pairs = set()
    for tokens, row in zip(TEXTS, to_numpy(expert.hash(codes()))):
        for token, hashes in zip(tokens, row):
            known = hashes[hashes > 0].tolist()
            pairs |= {*zip(ngrams(token), known, strict=True)}
        assert not row[len(tokens) :].any()
    assert len({ngram for ngram, _ in pairs}) == len({hashed for _, hashed in pairs}) == len(pairs)


def test_hashes_fill_the_buckets():
    expert = layers.CharNgramExpert(2, min_n=3, max_n=3, num_buckets=256)
    words = [f"{a}{b}" for a in "abcdefghijklmnop" for b in "abcdefghijklmnop"]
    counts = np.bincount(to_numpy(expert.hash(codes([words]))).ravel(), minlength=257)[1:]
    # 512 n-grams: 16 of two first characters and a boundary, and so on.
    expected = 256 * (1 - np.exp(-512 / 256))
    assert abs((counts > 0).sum() - expected) < 25


def test_hashes_are_the_same_on_every_backend_and_machine():
    hashes = to_numpy(layers.CharNgramExpert(2, 2, 3, 2**16).hash(codes([["ab"]])))[0, 0]
    assert hashes.dtype == "int32"
    assert hashes[hashes > 0].tolist() == HASHES


HASHES = [61467, 20292, 12102, 58939, 3633]
"""Saved models contain weights of such hashes."""


def test_logits_are_normalized_sums_of_weighted_log_count_ratios():
    expert = layers.CharNgramExpert(2, num_buckets=2**20, initial_weight=0.5)
    assert not to_numpy(expert(codes())).any()  # before adapt
    expert.adapt(codes(), LABELS)
    texts = [[ngram for token in tokens for ngram in ngrams(token)] for tokens in TEXTS]
    names = sorted({ngram for text in texts for ngram in text})
    counts = np.ones((len(names), 2))
    for text, label in zip(texts, LABELS):
        for ngram in set(text):
            counts[names.index(ngram)] += label
    shares = counts / counts.sum(axis=0)
    ratios = np.log(shares) - np.log(shares[:, ::-1])
    expected = [
        0.5 * sum(ratios[names.index(ngram)] for ngram in text) / np.sqrt(len(text))
        for text in texts
    ]
    np.testing.assert_allclose(to_numpy(expert(codes())), expected, rtol=1e-4, atol=1e-5)


def test_padding_does_not_matter():
    expert = layers.CharNgramExpert(2)
    expert.adapt(codes(length=9), LABELS)
    long, short = to_numpy(expert(codes(length=9))), to_numpy(expert(codes(TEXTS[:1])))
    np.testing.assert_allclose(long[:1], short, rtol=1e-5)
    assert np.abs(short).max() > 0


def test_many_texts_are_counted_in_batches(monkeypatch):
    ratios = []
    for size in (1, 256):
        monkeypatch.setattr("keras_seq.layers.text.char_ngrams.ADAPT_BATCH_SIZE", size)
        expert = layers.CharNgramExpert(2)
        expert.adapt(codes([*TEXTS, []], length=7), np.array([*LABELS, [1, 0]]))
        ratios.append(to_numpy(expert.naive_bayes.log_count_ratios))
    np.testing.assert_array_equal(*ratios)


def test_leave_one_out_equals_counting_without_the_example():
    expert = layers.CharNgramExpert(2)
    logits = expert.adapt_leave_one_out(codes(), LABELS)
    expert.adapt(codes()[:2], LABELS[:2])
    np.testing.assert_allclose(logits[2:], to_numpy(expert(codes()[2:])), rtol=1e-4, atol=1e-5)
    expert.adapt(codes()[1:], LABELS[1:])
    np.testing.assert_allclose(logits[:1], to_numpy(expert(codes()[:1])), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_n": 2}, "`max_n` must be at least 3, got 2"),
        ({"num_buckets": 3}, "`num_buckets` must be a power of two of at most .*, got 3"),
        ({"num_buckets": 2**25}, "`num_buckets` must be a power of two"),
        ({"num_labels": 1}, "`num_labels`"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=f"CharNgramExpert: {message}"):
        layers.CharNgramExpert(**{"num_labels": 2} | options)

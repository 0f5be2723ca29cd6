"""Counting against the equation, n-gram by n-gram."""

import collections

import keras
import numpy as np
import pytest
from helpers import BACKEND, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.layers.text.kneser_ney import Ngrams

TOKENS = 6


def made(sequences, order, share=1.0, discount=0.75):
    ngrams = Ngrams(sequences, order, TOKENS, discount)
    layer = layers.KneserNey(TOKENS, order, share, ngrams.shape)
    layer.build((None, None, TOKENS), (None, None))
    layer.set_ngrams(ngrams)
    return layer


def counted(sequences, order):
    """Of each n-gram its count, or how many tokens stand before it."""
    counts, before = collections.Counter(), collections.defaultdict(set)
    for sequence in sequences:
        for n in range(1, order + 1):
            for begin in range(len(sequence) - n + 1):
                ngram = tuple(sequence[begin : begin + n])
                if begin:
                    before[ngram].add(sequence[begin - 1])
                if begin + n > 1 and (n == order or begin == 0):
                    counts[ngram] += 1
    for ngram, tokens in before.items():
        if len(ngram) < order:
            counts[ngram] += len(tokens)
    return counts


def probability(counts, context, token, discount):
    if context is None:
        return 1 / TOKENS
    after = [counts[*context, other] for other in range(TOKENS)]
    lower = probability(counts, context[1:] if context else None, token, discount)
    if not sum(after):
        return lower
    own = max(after[token] - discount, 0)
    return (own + discount * sum(c > 0 for c in after) * lower) / sum(after)


SEQUENCES = st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=25 if BACKEND == "tensorflow" else 4)
@given(SEQUENCES, st.integers(1, 6), st.lists(st.integers(1, 5), max_size=5))
def test_equals_the_equation(sequences, order, read):
    sequences = [[2, *sequence, 2] for sequence in sequences]
    layer, counts = made(sequences, order), counted(sequences, order)
    # Of one length, so that eager backends need not compile for each.
    ids = np.zeros((1, 6), "int32")
    ids[0, : len(read) + 1] = [2, *read]
    logits = np.zeros((1, 6, TOKENS), "float32")
    found = np.exp(to_numpy(layer(logits, ids)))[0]
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    for step in range(len(read) + 1):
        context = tuple([2, *read][: step + 1][max(0, step + 2 - order) :]) if order > 1 else ()
        expected = [probability(counts, context, token, 0.75) for token in range(TOKENS)]
        np.testing.assert_allclose(found[step], expected, atol=1e-5)


TEXTS = [[2, 3, 4, 3, 2], [2, 4, 4, 3, 4, 2], [2, 5, 2]]
READ = np.array([[2, 3, 4, 3], [2, 4, 4, 1]])


def test_step_by_step_is_the_same():
    layer = made(TEXTS, 3)
    contexts = layer.contexts(READ)
    carried = contexts[:, 0]
    for step in range(READ.shape[1]):
        carried = layer.after(carried, keras.ops.convert_to_tensor(READ[:, step]))
        np.testing.assert_array_equal(to_numpy(carried), to_numpy(contexts)[:, step + 1])


def test_mixes_except_in_training():
    random = np.random.default_rng(0)
    logits = random.normal(size=(*READ.shape, TOKENS)).astype("float32")
    network = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    by_count = np.exp(to_numpy(made(TEXTS, 3)(logits, READ)))
    mixed = np.exp(to_numpy(made(TEXTS, 3, share=0.25)(logits, READ)))
    np.testing.assert_allclose(mixed, 0.75 * network + 0.25 * by_count, atol=1e-6)
    alone = np.exp(to_numpy(made(TEXTS, 3, share=0.0)(logits, READ)))
    np.testing.assert_allclose(alone, network, atol=1e-6)
    layer = made(TEXTS, 3, share=0.25)
    np.testing.assert_array_equal(to_numpy(layer(logits, READ, training=True)), logits)
    assert layer.trainable_weights == []


def test_refuses_what_is_no_share():
    with pytest.raises(InputError, match=r"share of 0 to 1, got 6 tokens, order 3 and share 1\.5"):
        made(TEXTS, 3, share=1.5)

"""Kneser-Ney counts against the equation."""

import collections

import keras
import numpy as np
import pytest
from helpers import BACKEND, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.layers.text.ngram_trie import NgramTrie

TOKENS = 6


def make_layer(sequences, order, interpolation=1.0, discount=0.75):
    layer = layers.KneserNey(TOKENS, order, interpolation, discount)
    layer.adapt(sequences)
    return layer


def count_ngrams(sequences, order):
    """Return the count of each n-gram; of shorter ones the number of different tokens before."""
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
    counts_after = [counts[*context, other] for other in range(TOKENS)]
    lower = probability(counts, context[1:] if context else None, token, discount)
    if not sum(counts_after):
        return lower
    discounted = max(counts_after[token] - discount, 0)
    return (discounted + discount * sum(c > 0 for c in counts_after) * lower) / sum(counts_after)


SEQUENCES = st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=25 if BACKEND == "tensorflow" else 4)
@given(SEQUENCES, st.integers(1, 6), st.lists(st.integers(1, 5), max_size=5))
def test_equals_the_equation(sequences, order, read):
    sequences = [[2, *sequence, 2] for sequence in sequences]
    layer, counts = make_layer(sequences, order), count_ngrams(sequences, order)
    # All of one length, so that eager backends compile only once.
    ids = np.zeros((1, 6), "int32")
    ids[0, : len(read) + 1] = [2, *read]
    logits = np.zeros((1, 6, TOKENS), "float32")
    actual = np.exp(to_numpy(layer(logits, ids)))[0]
    np.testing.assert_allclose(actual.sum(axis=-1), 1, atol=1e-5)
    for step in range(len(read) + 1):
        context = tuple([2, *read][: step + 1][max(0, step + 2 - order) :]) if order > 1 else ()
        expected = [probability(counts, context, token, 0.75) for token in range(TOKENS)]
        np.testing.assert_allclose(actual[step], expected, atol=1e-5)


TEXTS = [[2, 3, 4, 3, 2], [2, 4, 4, 3, 4, 2], [2, 5, 2]]
READ = np.array([[2, 3, 4, 3], [2, 4, 4, 1]])


def test_steps_equal_one_call():
    layer = make_layer(TEXTS, 3)
    contexts = layer.contexts(READ)
    whole = to_numpy(layer(np.zeros((*READ.shape, TOKENS), "float32"), READ))
    ids = keras.ops.convert_to_tensor(READ)
    state = layer.initial_state(ids, np.array([1, 1]), 0)
    for step in range(READ.shape[1]):
        alone = layer.initial_state(ids, np.array([step + 1, step + 1]), 0)
        np.testing.assert_array_equal(*to_numpy([alone["contexts"], state["contexts"]]))
        next_contexts, state = layer.step(ids[:, step], state)
        np.testing.assert_array_equal(*to_numpy([state["contexts"], contexts[:, step + 1]]))
        log_probs = layer.interpolate(np.zeros((2, TOKENS), "float32"), next_contexts)
        np.testing.assert_allclose(to_numpy(log_probs), whole[:, step], atol=1e-5)


def test_padded_rows_and_a_trie_give_equal_counts():
    padded = np.array([[*row, *[0] * (6 - len(row))] for row in TEXTS])
    by_trie = layers.KneserNey(TOKENS, 3, 1.0, 0.75)
    by_trie.set_trie(NgramTrie(TEXTS, 3, TOKENS, 0.75))
    for layer in (make_layer(padded, 3), by_trie):
        for ours, theirs in zip(layer.weights, make_layer(TEXTS, 3).weights, strict=True):
            np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_saving(tmp_path):
    logits, ids = keras.Input((None, TOKENS)), keras.Input((None,), dtype="int32")
    model = keras.Model([logits, ids], make_layer(TEXTS, 3)(logits, ids))
    model.save(tmp_path / "counts.keras")
    loaded = keras.saving.load_model(tmp_path / "counts.keras")
    inputs = [np.zeros((*READ.shape, TOKENS), "float32"), READ]
    np.testing.assert_array_equal(to_numpy(loaded(inputs)), to_numpy(model(inputs)))
    with pytest.raises(InputError, match="already has counts: create a new KneserNey"):
        loaded.layers[-1].adapt([*TEXTS, [2, 3, 5, 2]])


def test_needs_adapt():
    with pytest.raises(InputError, match="has no counts yet: call adapt"):
        layers.KneserNey(TOKENS, 3)(np.zeros((1, 1, TOKENS)), np.array([[2]]))
    with pytest.raises(InputError, match="needs at least one sequence with tokens"):
        layers.KneserNey(TOKENS, 3).adapt([])


def mix(logits, by_count, weights):
    """Return the log-linear interpolation, by definition."""
    network = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    products = network ** weights[..., :1] * by_count ** weights[..., 1:]
    return products / products.sum(axis=-1, keepdims=True)


def test_interpolation_outside_training():
    random = np.random.default_rng(0)
    logits = random.normal(size=(*READ.shape, TOKENS)).astype("float32")
    by_count = np.exp(to_numpy(make_layer(TEXTS, 3)(logits, READ)))
    for interpolation in (0.25, 0.0):
        mixed = np.exp(to_numpy(make_layer(TEXTS, 3, interpolation=interpolation)(logits, READ)))
        expected = mix(logits, by_count, np.array([1 - interpolation, interpolation]))
        np.testing.assert_allclose(mixed, expected, atol=1e-6)
    layer = make_layer(TEXTS, 3, interpolation=0.25)
    np.testing.assert_array_equal(to_numpy(layer(logits, READ, training=True)), logits)
    assert layer.trainable_weights == []


def test_impossible_tokens_have_finite_log_probabilities():
    layer = make_layer([[2, 3, 2]], 2, interpolation=0.5, discount=0.0)
    logits = layer(np.zeros((1, 1, TOKENS), "float32"), np.array([[2]]))
    assert np.isfinite(to_numpy(logits)).all()


def test_context_lengths():
    layer = make_layer([[2, 3, 4, 2]], 3)
    # Nothing follows the last 2, and 4 follows no 2.
    ids = np.array([[2, 3, 4, 2, 4], [1, 2, 3, 1, 3]])
    lengths = to_numpy(layer.context_lengths(layer.contexts(ids)[:, 1:]))
    np.testing.assert_array_equal(lengths, [[1, 2, 2, 1, 1], [0, 1, 2, 0, 1]])


def test_weights_depend_on_the_length_of_the_context():
    logits = np.random.default_rng(0).normal(size=(*READ.shape, TOKENS)).astype("float32")
    layer = make_layer(TEXTS, 3, interpolation=0.25)
    by_count = np.exp(to_numpy(make_layer(TEXTS, 3)(logits, READ)))
    lengths = to_numpy(layer.context_lengths(layer.contexts(READ)[:, 1:]))
    assert {*lengths.flat} == {0, 1, 2}
    weights = np.array([[1.0, 0.0], [0.5, 0.7], [0.2, 0.9]])
    layer.mixture_weights.assign(weights)
    mixed = np.exp(to_numpy(layer(logits, READ)))
    np.testing.assert_allclose(mixed, mix(logits, by_count, weights[lengths]), atol=1e-6)


def test_interpolation_out_of_range():
    with pytest.raises(InputError, match=r"`interpolation` must be a number from 0 to 1, got 1\.5"):
        make_layer(TEXTS, 3, interpolation=1.5)

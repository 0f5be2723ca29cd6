"""Hashed n-gram embeddings: equal n-grams have equal vectors; single steps and sequences agree."""

import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError


def make_layer(**arguments):
    layer = layers.HashedNgramEmbedding(
        **{"max_n": 4, "num_buckets": 2**12, "output_dim": 3, **arguments}
    )
    layer.build((None, None, layer.max_n))
    return layer


def call_sequence(layer, ids, **how):
    return to_numpy(layer(layer.make_windows(ids), **how))


def test_only_equal_ngrams_have_equal_vectors():
    ids = np.random.default_rng(0).integers(1, 6, (8, 50)).astype("int32")
    vectors = call_sequence(make_layer(), ids).reshape(8, 50, 3, 3)
    for place, length in enumerate((2, 3, 4)):
        by_ngram = {}
        for row in range(8):
            for t in range(50):
                # Zeros precede the first token.
                run = tuple([0] * length + ids[row, : t + 1].tolist())[-length:]
                by_ngram.setdefault(run, []).append(vectors[row, t, place])
        for actual in by_ngram.values():
            assert np.ptp(actual, axis=0).max() == 0
        distinct = {tuple(actual[0]) for actual in by_ngram.values()}
        # Few n-grams collide.
        assert len(distinct) > 0.9 * len(by_ngram)


def test_each_length_has_its_own_vectors():
    vectors = call_sequence(make_layer(), np.full((1, 9), 7, "int32"))[0, -1].reshape(3, 3)
    assert len({tuple(vector) for vector in vectors}) == 3


def test_outputs_are_causal():
    layer, ids = make_layer(), np.arange(1, 13, dtype="int32")[None]
    whole, part = (call_sequence(layer, x) for x in (ids, ids[:, :5]))
    np.testing.assert_array_equal(whole[:, :5], part)


def test_a_single_window():
    layer, ids = make_layer(), np.array([[5, 1, 4, 2, 3]], "int32")
    window = np.array([[3, 2, 4, 1]], "int32")
    np.testing.assert_array_equal(call_sequence(layer, ids)[:, -1], to_numpy(layer(window)))


def test_dropout_drops_whole_vectors():
    layer, ids = make_layer(dropout=0.5, seed=1), np.tile(np.arange(40, dtype="int32"), (50, 1))
    kept = call_sequence(layer, ids).reshape(-1, 3)
    dropped = call_sequence(layer, ids, training=True).reshape(-1, 3)
    is_dropped = (dropped == 0).all(axis=1)
    np.testing.assert_allclose(is_dropped.mean(), 0.5, atol=0.03)
    np.testing.assert_allclose(dropped[~is_dropped], 2 * kept[~is_dropped], rtol=1e-6)


def test_bad_arguments():
    with pytest.raises(InputError, match="`max_n` must be an integer of at least 2, got 1"):
        make_layer(max_n=1)
    with pytest.raises(InputError, match="must be a power of two, got 100"):
        make_layer(num_buckets=100)

"""N-gram features in both directions."""

import numpy as np
from helpers import to_numpy

from keras_seq import layers

IDS = np.array([[3, 4, 5, 6, 0, 0], [6, 5, 4, 3, 0, 0]])


def test_ngrams_end_and_begin_with_each_token():
    features = layers.NgramFeatures(3, num_buckets=2**12, output_dim=3)
    features(IDS)
    features.after.tables.assign(features.before.tables)
    # N-grams of 2 and 3 tokens that end with each token, then those that begin with it.
    forward, backward = to_numpy(features(IDS))[:, :4]
    np.testing.assert_array_equal(forward[:, :6], backward[::-1, 6:])
    np.testing.assert_array_equal(forward[:, 6:], backward[::-1, :6])
    rows = {tuple(row) for row in to_numpy(features.before.tables)}
    assert all(tuple(vector) in rows for vector in forward.reshape(-1, 3))
    # Texts with a common beginning differ within three tokens of the first difference.
    one, other = to_numpy(features(np.array([[3, 4, 5, 6, 5], [3, 4, 5, 6, 3]])))
    np.testing.assert_array_equal(one[:2], other[:2])
    assert (one[2] != other[2]).any()


def test_causal_features_are_the_first_half():
    both = layers.NgramFeatures(3, num_buckets=16, output_dim=2)
    causal = layers.CausalNgramFeatures(3, num_buckets=16, output_dim=2)
    causal(IDS), both(IDS)
    causal.plain.tables.assign(both.before.tables)
    np.testing.assert_array_equal(to_numpy(causal(IDS)), to_numpy(both(IDS))[..., :4])


def test_dropout_in_training_only():
    features = layers.NgramFeatures(2, num_buckets=16, output_dim=2, dropout=0.9)
    assert (to_numpy(features(IDS)) != 0).all()
    assert (to_numpy(features(IDS, training=True)) == 0).mean() > 0.5

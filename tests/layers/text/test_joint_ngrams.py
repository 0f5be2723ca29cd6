"""Joint n-gram model against a sum over all alignments."""

import itertools

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.layers.text.joint_ngrams import END, IMPOSSIBLE

SOURCES = [[3, 4, 3], [4, 3], [5, 4, 4], [3, 5], [4, 5, 3]]
TARGETS = [[6, 7, 6], [7, 6], [8, 6, 7], [6, 8, 6], [7, 8]]
SIZES = 6, 9
"""Numbers of source and target ids."""


def make_layer(**options):
    layer = layers.JointNgramModel(*SIZES, **{"order": 3, "num_paths": 30, "end_id": 2, **options})
    layer.adapt(SOURCES, TARGETS)
    return layer


def log_prob_by_definition(layer, source, target):
    """Return the log of the sum of the probabilities of all alignments."""
    kneser_ney, chunks = layer.kneser_ney, to_numpy(layer.targets)
    total = 0.0
    for units in itertools.product(*(to_numpy(layer.units)[token] for token in source)):
        read = [token for unit in units for token in chunks[unit] if token]
        if 0 in units or read != list(target):
            continue
        ids = np.array([[END, *units]])
        p = to_numpy(kneser_ney.probabilities(kneser_ney.contexts(ids)[:, 1:]))[0]
        total += np.prod(p[np.arange(len(units) + 1), [*units, END]])
    return np.log(total) if total else IMPOSSIBLE


PAIRS = [
    ([3, 4, 3], [6, 7, 6]),
    ([3, 5], [6, 8]),
    ([3, 5], [6, 8, 6]),
    ([4, 4, 5], [7, 6, 8]),
    ([3, 5, 3], [8]),
    ([5], [6, 7, 8]),  # too long
]


def test_equals_the_sum_over_all_alignments():
    layer = make_layer()
    source, target = np.zeros((len(PAIRS), 5), "int32"), np.zeros((len(PAIRS), 6), "int32")
    for row, (source_ids, target_ids) in enumerate(PAIRS):
        source[row, : len(source_ids)] = source_ids
        # The end token is skipped.
        target[row, : len(target_ids) + 1] = [*target_ids, 2]
    expected = [log_prob_by_definition(layer, *pair) for pair in PAIRS]
    assert sum(value > IMPOSSIBLE for value in expected) >= 3 and IMPOSSIBLE in expected
    np.testing.assert_allclose(to_numpy(layer(source, target)), expected, rtol=1e-4)


def test_few_paths_have_at_most_the_whole_probability():
    source, target = np.array([[3, 5, 3]]), np.array([[8]])
    few, many = (to_numpy(make_layer(num_paths=n)(source, target))[0] for n in (1, 30))
    assert IMPOSSIBLE < few <= many


def test_source_tokens_without_units_are_skipped():
    layer = make_layer()
    pairs = layer(np.array([[3, 5, 0], [3, 1, 5]]), np.array([[6, 8], [6, 8]]))
    np.testing.assert_allclose(*to_numpy(pairs), rtol=1e-6)


def test_ranks_hypotheses():
    layer = make_layer()
    layer.mixture_weights.assign([0.5, 2.0])
    source = np.array([[3, 4, 3]])
    sequences = np.array([[[7, 6, 2, 0], [6, 7, 6, 2], [0, 0, 0, 0]]])
    scores = np.array([[-1.0, -2.0, -np.inf]], "float32")
    ranked, best = to_numpy(
        layer.rank(*map(keras.ops.convert_to_tensor, (source, sequences, scores)))
    )
    expected = 0.5 * scores[0, :2] + 2 * to_numpy(layer.log_probs(source, sequences))[0, :2]
    assert expected[1] > expected[0]
    np.testing.assert_array_equal(ranked[0], sequences[0][[1, 0, 2]])
    np.testing.assert_allclose(best[0], [*expected[::-1], -np.inf], rtol=1e-5)


def test_saving(tmp_path):
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    model = keras.Model([source, target], make_layer()(source, target))
    model.save(tmp_path / "counts.keras")
    loaded = keras.saving.load_model(tmp_path / "counts.keras")
    inputs = [np.array([[3, 4, 3]]), np.array([[6, 7, 6]])]
    np.testing.assert_array_equal(to_numpy(loaded(inputs)), to_numpy(model(inputs)))


def test_bad_input():
    with pytest.raises(InputError, match="has no counts yet: call adapt"):
        layers.JointNgramModel(*SIZES)(np.array([[3]]), np.array([[6]]))
    with pytest.raises(InputError, match=r"can align only 0 of 1 pairs\. Each source"):
        layers.JointNgramModel(*SIZES).adapt([[3]], [[6, 7, 8]])
    with pytest.raises(InputError, match="already has counts: create a new JointNgramModel"):
        make_layer().adapt(SOURCES, TARGETS)

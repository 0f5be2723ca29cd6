"""Experts of a text classifier and their mixture."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq._internal.errors import InputError
from keras_seq.layers import (
    LogitMixture,
    NaiveBayes,
    NaiveBayesExpert,
    WeightArrayExpert,
    WeightArrayModel,
)
from keras_seq.layers.text.experts import fit_factor

IDS = np.array([[2, 3, 0], [3, 2, 3], [2, 2, 0]])
LABELS = np.array([[1, 0], [0, 1], [0.5, 0.5]])


def test_naive_bayes_of_tokens_and_bigrams():
    expert = NaiveBayesExpert(4, 2, pairs=[[2, 3], [3, 2]])
    expert.adapt(IDS, LABELS)
    # Tokens 2 and 3; the bigrams (2, 3) and (3, 2) have the ids 4 and 5.
    features = np.array([[2, 3, 4, 0, 0], [3, 2, 3, 5, 4], [2, 2, 0, 0, 0]])
    features = np.pad(features, [[0, 0], [0, 1]])  # padding
    reference = NaiveBayes(5, 2)
    reference.build(features.shape)
    reference.adapt(features, LABELS)
    np.testing.assert_allclose(
        to_numpy(expert.naive_bayes.log_count_ratios),
        to_numpy(reference.log_count_ratios),
        atol=1e-6,
    )
    np.testing.assert_allclose(to_numpy(expert(IDS)), to_numpy(reference(features)), atol=1e-6)
    np.testing.assert_array_equal(
        expert.adapt_leave_one_out(IDS, LABELS), reference.adapt_leave_one_out(features, LABELS)
    )


def test_naive_bayes_without_bigrams():
    expert = NaiveBayesExpert(4, 2, initial_weight=1.0)
    assert not to_numpy(expert(IDS)).any()  # before adapt
    expert.adapt(IDS, LABELS)
    ratios = to_numpy(expert.naive_bayes.log_count_ratios)
    assert ratios.shape == (4, 2)
    np.testing.assert_allclose(to_numpy(expert(IDS)), ratios[IDS].sum(axis=1), atol=1e-6)


def test_weight_array_model():
    symbols = np.array([[0, 0], [0.5, 0.5], [1, 0], [0, 1]])
    expert = WeightArrayExpert(symbols, 2, order=2, window=2)
    expert.adapt(IDS, LABELS)
    reference = WeightArrayModel(2, 2, 2)
    reference.build((None, None, 2))
    inputs = symbols[IDS].astype("float32"), IDS > 0
    reference.adapt(*map(keras.ops.convert_to_tensor, inputs), LABELS)
    expected = to_numpy(reference(*map(keras.ops.convert_to_tensor, inputs)))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(to_numpy(expert(IDS)), expected, atol=1e-6)


@pytest.mark.parametrize(
    "expert",
    [
        NaiveBayesExpert(4, 2, [[2, 3]], 0.1, name="bayes"),
        NaiveBayesExpert(4, 3),
        WeightArrayExpert(np.eye(4), 2, 2, 5, 0.1, name="places"),
    ],
)
def test_configuration(expert):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(expert))
    assert copy.get_config() == expert.get_config()
    assert to_numpy(copy(IDS)).shape == (3, expert.num_labels)


def test_factor_has_the_lowest_cross_entropy():
    random = np.random.default_rng(3)
    labels = np.eye(3)[random.integers(3, size=500)] * random.uniform(size=(500, 1))
    logits = 4 * labels + random.normal(size=(500, 3))

    def penalty(factor):
        z = factor * logits
        loss = labels.sum(axis=1) * np.log(np.exp(z).sum(axis=1)) - (labels * z).sum(axis=1)
        return loss.sum() + (factor - 1) ** 2 / 2

    factor = fit_factor(logits, labels)
    factors = np.linspace(0, 10, 10_001)
    assert factor == pytest.approx(factors[np.argmin([*map(penalty, factors)])], abs=1e-3)
    # Logits that say the opposite are left out, and without examples nothing changes.
    assert fit_factor(-9 * logits, labels) == pytest.approx(0, abs=1e-6)
    assert fit_factor(logits[:0], labels[:0]) == pytest.approx(1)


def test_mixtures():
    logits = [np.array([[1.0, 2.0]]), np.array([[3.0, -2.0]])]
    np.testing.assert_allclose(to_numpy(LogitMixture()(logits)), [[4, 0]])
    mean = LogitMixture.from_config(LogitMixture("mean").get_config())
    np.testing.assert_allclose(to_numpy(mean(logits)), [[2, 0]])
    np.testing.assert_allclose(to_numpy(mean(logits[:1])), logits[0])
    with pytest.raises(InputError, match="There is no mode of LogitMixture 'max'"):
        LogitMixture("max")

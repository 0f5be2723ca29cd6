"""Weights of a log-linear interpolation against the mixture that the tokens come from."""

import numpy as np
import pytest

from keras_seq._internal.softmax import log_softmax
from keras_seq.layers.text.log_linear import PRECISION, fit_log_linear

WEIGHTS = np.array([[0.3, 0.9], [0.8, 0.1]])


@pytest.fixture(scope="module")
def mixture():
    """Return the log probabilities of two models, tokens of their mixture, and their groups."""
    random = np.random.default_rng(0)
    log_probs = log_softmax(2 * random.normal(size=(2, 6_000, 5)))
    groups = np.arange(6_000) % 2
    scores = np.einsum("tm,mtv->tv", WEIGHTS[groups], log_probs)
    targets = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    return log_probs, targets, groups


def test_recovers_the_weights(mixture):
    fitted = fit_log_linear(*mixture, 2, np.array([0.5, 0.5]))
    np.testing.assert_allclose(fitted, WEIGHTS, atol=0.05)


def test_has_the_highest_posterior_probability(mixture):
    log_probs, targets, _ = mixture
    one_group, mean = np.zeros(6_000, int), np.array([0.5, 0.5])
    [best] = fit_log_linear(log_probs, targets, one_group, 1, mean)
    [first] = fit_log_linear(log_probs, targets, np.ones(6_000, int), 1, mean)  # the shared weights

    def log_posterior(weights):
        mixed = log_softmax(np.tensordot(weights, log_probs, 1))
        likelihood = mixed[np.arange(6_000), targets].sum()
        return likelihood - PRECISION / 2 * ((weights - first) ** 2).sum()

    for change in ([0.01, 0], [-0.01, 0], [0, 0.01], [0, -0.01]):
        assert log_posterior(best + change) < log_posterior(best)


def test_a_group_without_tokens_has_the_shared_weights(mixture):
    log_probs, targets, groups = mixture
    fitted = fit_log_linear(log_probs, targets, np.zeros_like(groups), 2, np.array([0.5, 0.5]))
    np.testing.assert_allclose(fitted[1], fitted[0], atol=0.01)
    few = fit_log_linear(log_probs[:, :0], targets[:0], groups[:0], 1, np.array([0.4, 0.5]))
    np.testing.assert_array_equal(few, [[0.4, 0.5]])


def test_no_weight_is_negative():
    log_probs = log_softmax(np.array([[[3.0, 0.0]] * 200, [[0.0, 3.0]] * 200]))
    targets, groups = np.zeros(200, int), np.zeros(200, int)
    [[first, second]] = fit_log_linear(log_probs, targets, groups, 1, np.array([0.5, 0.5]))
    assert first > 1 and second == 0

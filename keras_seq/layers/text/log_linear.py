"""Fit of the weights of a log-linear interpolation to held-out tokens."""

import numpy as np

from keras_seq._internal.optional_packages import import_scipy
from keras_seq._internal.softmax import log_softmax
from keras_seq._internal.types import Array

PRECISION = 30.0
"""Precision of the normal prior of each weight. It counts as much as a few dozen tokens."""


def fit_log_linear(
    log_probs: Array, targets: Array, groups: Array, num_groups: int, initial: Array
) -> Array:
    """Return the weights of each group of tokens in the log-linear interpolation of models.

    The weights are not negative and have the highest posterior probability. One set of weights is
    fitted to all tokens first. It is the mean of the prior of each group, so a group of few tokens
    hardly differs from it.

    Args:
        log_probs: Log probabilities of each model, `(models, tokens, vocab_size)`.
        targets: Id of each token, `(tokens,)`.
        groups: Group of each token, `(tokens,)`.
        num_groups: Number of groups.
        initial: Mean of the prior of the first fit, `(models,)`.

    Returns:
        `(num_groups, models)`.

    Raises:
        InputError: If SciPy is not installed.
    """
    shared = _fit(log_probs, targets, initial)
    rows = [np.flatnonzero(groups == group) for group in range(num_groups)]
    return np.stack([_fit(log_probs[:, row], targets[row], shared) for row in rows])


def _fit(log_probs: Array, targets: Array, mean: Array) -> Array:
    """Return the weights of one group, `(models,)`."""
    tokens = np.arange(len(targets))
    observed = log_probs[:, tokens, targets].sum(axis=1)

    def negative_log_posterior(weights: Array) -> tuple[float, Array]:
        mixed = log_softmax(np.tensordot(weights.astype(log_probs.dtype), log_probs, 1))
        expected = np.einsum("tv,mtv->m", np.exp(mixed), log_probs)
        difference = weights - mean
        value = -mixed[tokens, targets].sum() + PRECISION / 2 * difference @ difference
        return float(value), expected - observed + PRECISION * difference

    optimize = import_scipy("optimize", "fit_interpolation()")
    bounds = [(0, None)] * len(mean)
    fitted = optimize.minimize(negative_log_posterior, mean, jac=True, bounds=bounds)
    return np.asarray(fitted.x)

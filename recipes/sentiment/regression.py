"""Logistic regression over the features of naive Bayes experts, for small data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from keras_seq.layers.text.naive_bayes import distinct_features
from keras_seq.models.token_inputs import input_name

INVERSE_REGULARIZATION = 16.0
"""`C` of scikit-learn, for examples with a mean squared norm of 1 per expert."""
MAX_ITERATIONS = 100
MAX_WEIGHTS = 5_000_000
"""Largest number of features times labels. More weights would take too much time and memory."""
MIN_RATIO = 1e-6
"""Smallest log-count ratio, in absolute terms, that is multiplied by a learned weight."""


def mix_with_regression(
    experts: Sequence[Any], inputs: Mapping[str, np.ndarray], label_weights: np.ndarray
) -> None:
    """Change the logits of experts to the mean of theirs and those of a logistic regression.

    Naive Bayes needs fewer examples, and logistic regression counts no evidence twice. On few
    examples, their mean is better than both (compare NBSVM, Wang & Manning 2012). The regression
    has the features of the experts, weighted by inverse document frequency.

    Args:
        experts: A `NaiveBayesExpert`, a `CharNgramExpert` or both, calibrated on the examples.
        inputs: np.ndarrays of all training examples, as in `EncodedDataset.inputs`.
        label_weights: Weight of each label for each example, `(examples, labels)`.
    """
    matrices = [
        _frequencies(list(expert.feature_ids(inputs[input_name(expert)])), expert.naive_bayes)
        for expert in experts
    ]
    columns = [np.flatnonzero(matrix.getnnz(axis=0)) for matrix in matrices]
    if sum(map(len, columns)) * label_weights.shape[1] > MAX_WEIGHTS:
        return
    scales = [_scale(matrix) for matrix in matrices]
    scaled = [
        (matrix @ sparse.diags(scale))[:, used]
        for matrix, scale, used in zip(matrices, scales, columns)
    ]
    coefficients = _fit(sparse.hstack(scaled, "csr"), label_weights)
    parts = np.split(coefficients, np.cumsum([len(used) for used in columns])[:-1], axis=1)
    for expert, scale, used, part in zip(experts, scales, columns, parts):
        layer = expert.naive_bayes
        ratios = ops.convert_to_numpy(layer.log_count_ratios)[used]
        weights = ops.convert_to_numpy(layer.feature_weights).copy()
        mean = (ratios * weights[used] + (part * scale[used]).T) / 2
        # The layer multiplies its weights by the ratios.
        has_ratio = np.abs(ratios) > MIN_RATIO
        weights[used] = np.where(has_ratio, mean / np.where(has_ratio, ratios, 1), 0)
        layer.feature_weights.assign(weights)


def _frequencies(features: Sequence[np.ndarray], layer: Any) -> sparse.csr_matrix:
    """Return the frequency of each feature in each example, as the layer normalizes it."""
    batches = distinct_features(features, layer.num_features)
    rows, ids, counts = (np.concatenate(column) for column in zip(*batches))
    values = counts / np.bincount(rows, counts)[rows] ** 0.5
    return sparse.csr_matrix((values, (rows, ids)), (len(features), layer.num_features + 1))


def _scale(matrix: sparse.csr_matrix) -> np.ndarray:
    """Return the inverse document frequency of each feature, scaled to a mean squared norm of 1."""
    num_examples = matrix.shape[0]
    weights = np.log((1 + num_examples) / (1 + matrix.getnnz(axis=0))) + 1
    squares = (matrix @ sparse.diags(weights)).power(2).sum()
    return weights / (squares / num_examples) ** 0.5


def _fit(examples: sparse.csr_matrix, label_weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of a logistic regression, `(labels, features)`."""
    num_labels = label_weights.shape[1]
    # As naive Bayes, without the frequencies of the labels.
    regression = LogisticRegression(
        C=INVERSE_REGULARIZATION, max_iter=MAX_ITERATIONS, fit_intercept=False
    )
    # Each example once per label.
    regression.fit(
        sparse.vstack([examples] * num_labels),
        np.repeat(np.arange(num_labels), len(label_weights)),
        sample_weight=label_weights.T.ravel(),
    )
    if num_labels > 2:
        return regression.coef_
    return np.concatenate([-regression.coef_, regression.coef_]) / 2

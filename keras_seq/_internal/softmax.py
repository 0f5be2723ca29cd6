"""Softmax of NumPy arrays, without a way through the backend."""

import numpy as np

from keras_seq._internal.types import Array


def log_softmax(logits: Array) -> Array:
    """Return the log probabilities of logits over the last axis, in their dtype.

    >>> np.exp(log_softmax(np.array([1000.0, 1000.0]))).round(3).tolist()
    [0.5, 0.5]

    Args:
        logits: `(..., classes)`.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

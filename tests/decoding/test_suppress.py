"""Suppressed tokens."""

import numpy as np
from helpers import to_numpy

from keras_seq.decoding.suppress import mask_special_tokens


def test_padding_and_unknown_tokens_are_suppressed():
    logits = np.log(np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]))
    actual = np.exp(to_numpy(mask_special_tokens(logits)))
    np.testing.assert_allclose(actual, [[0, 0, 0.3, 0.4], [0, 0, 0.1, 0.1]], rtol=1e-6)

"""Finite stand-ins for logarithms of zero probabilities."""

from keras import ops

from keras_seq._internal.types import Tensor

NEG_INF = -1e30
"""Stand-in for minus infinity: below all scores, yet far from overflow."""


def replace_neg_inf(scores: Tensor) -> Tensor:
    """Return scores with `NEG_INF` in place of minus infinity."""
    # Not `ops.maximum`, which rounds float64 to float32 on torch.
    return ops.where(scores < NEG_INF, NEG_INF, scores)

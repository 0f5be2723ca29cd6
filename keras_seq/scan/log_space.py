"""Finite logarithms of probabilities that may be zero."""

from typing import Any

from keras import ops

NEG_INF = -1e30
"""Stand-in for minus infinity: below all scores, yet far from overflow."""


def replace_neg_inf(scores: Any) -> Any:
    """Return scores with `NEG_INF` in place of minus infinity.

    `ops.maximum` would round float64 to float32 on torch.
    """
    return ops.where(scores < NEG_INF, NEG_INF, scores)

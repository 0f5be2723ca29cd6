"""Finite logarithms of probabilities that may be zero."""

from typing import Any

from keras import ops

LOWEST = -1e30
"""Stand-in for minus infinity: below all scores, yet far from overflow."""


def finite(scores: Any) -> Any:
    """Return scores with `LOWEST` in place of minus infinity.

    `ops.maximum` would round float64 to float32 on torch.
    """
    return ops.where(scores < LOWEST, LOWEST, scores)

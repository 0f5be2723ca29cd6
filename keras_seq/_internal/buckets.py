"""Lengths to which sequences are padded, few so that few programs are compiled."""

import collections
import math
from collections.abc import Sequence

import numpy as np


def bucket_length(length: int, buckets_per_octave: int = 2, min_length: int = 16) -> int:
    """Return the bucket length of a sequence, by default one of 16, 24, 32, 48, 64, ...

    Args:
        length: Number of time steps.
        buckets_per_octave: Number of bucket lengths per doubling of the length, a power of two.
        min_length: Minimum bucket length.
    """
    if length <= min_length:
        return min_length
    step = max(1, 2 ** math.floor(math.log2(length - 1)) // buckets_per_octave)
    return -(-length // step) * step


def bucket_by_length(lengths: Sequence[int], batch_size: int) -> list[tuple[list[int], int]]:
    """Return batches of examples of similar length, the longest first.

    Args:
        lengths: Number of time steps of each example.
        batch_size: Maximum batch size.

    Returns:
        Pairs of the indices of a batch and the bucket length to pad it to, with four buckets per
        octave. Every example has at least half the bucket length, unless that is 16.
    """
    order = np.argsort(np.negative(lengths), kind="stable")
    octaves: dict[int, list[int]] = collections.defaultdict(list)
    for row in order:
        octaves[bucket_length(lengths[row], 1)].append(row)
    return [
        (rows[i : i + batch_size], bucket_length(lengths[rows[i]], 4))
        for rows in octaves.values()
        for i in range(0, len(rows), batch_size)
    ]

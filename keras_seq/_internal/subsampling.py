"""Evenly spaced samples of sequences."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def subsample(items: Sequence[Item], max_items: int) -> Sequence[Item]:
    """Return at most `max_items` evenly spaced items, starting with the first.

    >>> subsample(range(6), 3)
    [0, 2, 4]

    Args:
        items: Items, such as the frames of a video.
        max_items: Maximum number of items.
    """
    if len(items) <= max_items:
        return items
    return [items[i * len(items) // max_items] for i in range(max_items)]

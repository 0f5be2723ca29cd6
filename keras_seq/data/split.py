"""Hash-based splits of datasets."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Example = TypeVar("Example")


def hash_split(key: str | bytes) -> str:
    """Return the split of an example, determined by a hash of its input.

    Equal inputs are in the same split of every dataset, so no test example leaks into training.

    >>> hash_split("a sentence")
    'train'

    Args:
        key: Input of the example, without its target.

    Returns:
        "test" for about 10% of all keys, "validation" for about 10%, "train" for the others.
    """
    return {0: "test", 1: "validation"}.get(hash_fold(key), "train")


def hash_fold(key: str | bytes) -> int:
    """Return the fold of an example for tenfold cross-validation: the CRC-32 of the key modulo 10.

    Args:
        key: Input of the example, without its target.

    Returns:
        Integer from 0 to 9.
    """
    if isinstance(key, str):
        key = key.encode("utf-8")
    return zlib.crc32(key) % 10


def carve_splits(
    splits: Mapping[str, Sequence[Example]], key: Callable[[Example], str | bytes]
) -> dict[str, list[Example]]:
    """Return the splits with a missing validation or test split taken from the training split.

    >>> carve_splits({"train": ["a", "b", "o"], "validation": ["d"]}, str)
    {'train': ['a', 'b'], 'validation': ['d'], 'test': ['o']}

    Args:
        splits: Examples by split. An empty split counts as missing.
        key: Function that returns the key of an example for `hash_split`.

    Returns:
        Examples by split. A split without examples is absent.
    """
    missing = {split for split in ("validation", "test") if not splits.get(split)}
    complete: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for split, examples in splits.items():
        for example in examples:
            hashed = hash_split(key(example)) if split == "train" else split
            complete[hashed if hashed in missing else split].append(example)
    return {split: examples for split, examples in complete.items() if examples}

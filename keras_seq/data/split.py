"""Hash-based splits of datasets."""

import zlib


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

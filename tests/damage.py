"""Kinds of damage to files."""

import numpy as np

KINDS = ("cut", "emptied", "noise", "flipped")


def versions(content: bytes, kind: str, count: int, seed: int = 0) -> list[bytes]:
    """Return damaged versions of a file.

    Args:
        content: Content of the file.
        kind: One of `KINDS`: cut at a random place, emptied (once), random bytes of the same
            length, or one byte flipped to another.
        count: Number of versions.
        seed: Random seed.
    """
    random = np.random.default_rng([seed, KINDS.index(kind)])
    if kind == "emptied":
        return [b""]
    if kind == "cut":
        return [content[: random.integers(1, len(content) - 1)] for _ in range(count)]
    if kind == "noise":
        return [random.bytes(len(content)) for _ in range(count)]
    damaged = []
    for _ in range(count):
        flipped = bytearray(content)
        flipped[random.integers(len(content))] ^= random.integers(1, 256)
        damaged.append(bytes(flipped))
    return damaged

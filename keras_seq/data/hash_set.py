"""Sets of texts that hold hashes in place of the texts."""

from __future__ import annotations

import hashlib
from array import array

HASH_BYTES = 16
"""Size of a hash. Two of 10 million different texts have the same with probability 1e-25."""
MIN_SLOTS = 2**10
"""Number of slots of an empty set."""


class HashSet:
    """Set of texts in slots of 16 bytes, of which one third to two thirds are used.

    10 million texts of any length need 256 MiB, and 384 MiB while the set grows.

    >>> texts = HashSet()
    >>> texts.add("a"), texts.add("b"), texts.add("a")
    (True, True, False)
    >>> len(texts)
    2
    """

    def __init__(self) -> None:
        self._num_texts = 0
        self._slots = _make_slots(MIN_SLOTS)

    def __len__(self) -> int:
        return self._num_texts

    def add(self, *texts: str) -> bool:
        """Add a text, or a tuple of texts. Return whether it is new.

        Args:
            *texts: Text, or the texts of the tuple.
        """
        content = "\0".join([*(str(len(text)) for text in texts), *texts])
        digest = hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES)
        halves = digest.digest()
        # Zeros mark a free slot.
        high, low = int.from_bytes(halves[:8], "little") or 1, int.from_bytes(halves[8:], "little")
        if not _insert(self._slots, high, low):
            return False
        self._num_texts += 1
        if 3 * self._num_texts > len(self._slots):  # A slot has two elements.
            old, self._slots = self._slots, _make_slots(len(self._slots))
            for i in range(0, len(old), 2):
                if old[i]:
                    _insert(self._slots, old[i], old[i + 1])
        return True


def _make_slots(num_slots: int) -> array[int]:
    return array("Q", bytes(HASH_BYTES)) * num_slots


def _insert(slots: array[int], high: int, low: int) -> bool:
    """Insert a hash in the first free slot from its own on. Return False if it is there already."""
    mask = len(slots) - 1
    i = 2 * low & mask
    while slots[i]:
        if slots[i] == high and slots[i + 1] == low:
            return False
        i = (i + 2) & mask
    slots[i], slots[i + 1] = high, low
    return True

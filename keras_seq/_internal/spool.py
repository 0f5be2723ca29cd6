"""Objects in a temporary file, to read them again in bounded memory."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator
from typing import Generic, TypeVar

MAX_MEMORY = 2**24
"""Size up to which the objects stay in memory, in bytes."""

Item = TypeVar("Item")


class Spool(Generic[Item]):
    """List of objects in a temporary file, which only grows.

    The file has no name, so that it is gone when the process ends.

    >>> numbers = Spool()
    >>> for number in (1, 2, 3):
    ...     numbers.append(number)
    >>> len(numbers), list(numbers), list(numbers)
    (3, [1, 2, 3], [1, 2, 3])

    Args:
        folder: Folder of the file. Default: that of `tempfile`.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        folder = None if folder is None else os.fspath(folder)
        self._file = tempfile.SpooledTemporaryFile(MAX_MEMORY, dir=folder)  # noqa: SIM115
        self._num_items = 0

    def __len__(self) -> int:
        return self._num_items

    def append(self, item: Item) -> None:
        """Append an object.

        Args:
            item: Object that can be pickled.
        """
        pickle.dump(item, self._file, pickle.HIGHEST_PROTOCOL)
        self._num_items += 1

    def __iter__(self) -> Iterator[Item]:
        """Yield all objects. Only one iterator at a time may be in use."""
        self._file.seek(0)
        for _ in range(self._num_items):
            yield pickle.load(self._file)
        self._file.seek(0, os.SEEK_END)

"""Sequences of different lengths in little memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_seq._internal.types import Array


class RaggedArray:
    """Rows of different lengths, stored without padding.

    >>> import numpy as np
    >>> from keras_seq.batching import RaggedArray
    >>> RaggedArray([np.array([1, 2, 3]), np.array([4])], "int32")[:]
    array([[1, 2, 3],
           [4, 0, 0]], dtype=int32)

    Args:
        rows: Arrays `(timesteps, ...)`.
        dtype: Data type of the values.
        convert: Function of a row, which is called whenever a batch needs the row. The rows are
            then kept as they are, and not copied. Default: the rows are copied.
    """

    def __init__(
        self, rows: Sequence[Array], dtype: Any, convert: Callable[[Array], Array] | None = None
    ) -> None:
        self.lengths = np.array([len(row) for row in rows], "int64")
        self.dtype, self._convert = np.dtype(dtype), convert
        # All axes of the padded array; the second one of examples with different lengths is None.
        self.shape = (len(rows), None, *(rows[0].shape[1:] if len(rows) else ()))
        if convert is not None:
            self._rows = rows
            return
        values = np.empty((self.lengths.sum(), *self.shape[2:]), dtype)
        ends = np.cumsum(self.lengths)
        self._rows = [values[end - length : end] for end, length in zip(ends, self.lengths)]
        for copy, row in zip(self._rows, rows):
            copy[:] = row

    @property
    def ndim(self) -> int:
        """Number of axes, examples and time included."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, indices: Any) -> Array:
        """Return some rows, padded with zeros to the longest of them.

        Args:
            indices: Slice or array of row numbers.
        """
        numbers = np.arange(len(self))[indices]
        longest = max(self.lengths[indices], default=0)
        padded = np.zeros((len(numbers), longest, *self.shape[2:]), self.dtype)
        for target, number in zip(padded, numbers):
            row = self._rows[number]
            target[: len(row)] = row if self._convert is None else self._convert(row)
        return padded

"""Lookup of strings in TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


class ConstantLookup:
    """Lookup table from strings to their indices in a list, without resources.

    A `tf.lookup.StaticHashTable` is a resource, which an exported object must track. This lookup
    needs constants only: it searches the sorted hashes of the strings.

    >>> ConstantLookup(["a", "b"])(tf.constant([["b", "x"]])).numpy().tolist()
    [[1, -1]]

    Args:
        strings: Distinct strings; at least one.

    Call arguments:
        keys: Strings of any shape.

    Returns:
        int32 tensor of the same shape: indices in the list, -1 for other strings.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        import tensorflow as tf

        with tf.init_scope():  # Computes eagerly even while a graph is traced.
            hashes = _hash(tf.constant(strings)).numpy()
        # Collisions of 63-bit hashes are too unlikely to handle.
        self._indices = np.argsort(hashes).astype("int32")
        self._hashes = hashes[self._indices]
        self._strings = [strings[i] for i in self._indices]

    def __call__(self, keys: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        flat = tf.reshape(keys, [-1])
        row = tf.searchsorted(tf.constant(self._hashes), _hash(flat))
        row = tf.minimum(row, len(self._indices) - 1)
        is_known = tf.gather(tf.constant(self._strings), row) == flat
        indices = tf.where(is_known, tf.gather(tf.constant(self._indices), row), -1)
        return tf.reshape(indices, tf.shape(keys))


def _hash(strings: tf.Tensor) -> tf.Tensor:
    """Return 63-bit hashes that are the same on every machine."""
    import tensorflow as tf

    return tf.strings.to_hash_bucket_fast(strings, 2**63 - 1)

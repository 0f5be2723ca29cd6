"""Numbers of strings in TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


class StringLookup:
    """A lookup of strings by their place in a list, made of constants alone.

    A `tf.lookup.StaticHashTable` is a resource, which an exported function can use only if it is
    reachable from the exported object. This searches the sorted hashes of the strings instead.

    >>> StringLookup(["a", "b"])(tf.constant([["b", "x"]])).numpy().tolist()
    [[1, -1]]

    Args:
        strings: Different strings, at least one.

    Call arguments:
        keys: Strings of any shape.

    Returns:
        int32 tensor of the same shape: places in the list, -1 for other strings.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        import tensorflow as tf

        with tf.init_scope():  # also while a graph is traced
            hashes = _hashes(tf.constant(strings)).numpy()
        # Two strings of one hash are less likely than a fault of the machine.
        self._places = np.argsort(hashes).astype("int32")
        self._hashes = hashes[self._places]
        self._strings = [strings[place] for place in self._places]

    def __call__(self, keys: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        flat = tf.reshape(keys, [-1])
        row = tf.searchsorted(tf.constant(self._hashes), _hashes(flat))
        row = tf.minimum(row, len(self._places) - 1)
        found = tf.gather(tf.constant(self._strings), row) == flat
        places = tf.where(found, tf.gather(tf.constant(self._places), row), -1)
        return tf.reshape(places, tf.shape(keys))


def _hashes(strings: tf.Tensor) -> tf.Tensor:
    """Return 63-bit hashes, which are the same on every machine."""
    import tensorflow as tf

    return tf.strings.to_hash_bucket_fast(strings, 2**63 - 1)

"""Batches of arrays in an order that depends on the seed and the epoch alone."""

import collections
import math
from typing import Any, NamedTuple

import keras
import numpy as np


class Ragged:
    """Rows of different lengths, end to end, where an array would pad them to the longest.

    Args:
        rows: Arrays `(timesteps,)`.
        dtype: That the numbers are kept in.
    """

    ndim = 2

    def __init__(self, rows, dtype):
        self.lengths = np.array([len(row) for row in rows], "int64")
        self.values = np.empty(self.lengths.sum(), dtype)
        self._ends = np.cumsum(self.lengths)
        for row, end in zip(rows, self._ends):
            self.values[end - len(row) : end] = row

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, rows):
        """Some rows as an array, zeros after the end of each: a slice, or an array of numbers."""
        ends, lengths = self._ends[rows], self.lengths[rows]
        found = np.zeros((len(lengths), max(lengths, default=0)), self.values.dtype)
        for row, end, length in zip(found, ends, lengths):
            row[:length] = self.values[end - length : end]
        return found


class Examples(NamedTuple):
    """Examples of one split, as arrays with the same first axis."""

    inputs: Any
    """What the model takes: a nest of arrays (examples, ...)."""
    targets: Any
    """What it is to find: a nest of arrays (examples, ...)."""
    lengths: Any = None
    """Time steps of each example (examples,), if they differ: then all arrays that are as wide as
    the longest example (examples, timesteps, ...) are padded at the end, and all `Ragged` are."""
    least: int = 16
    """The fewest time steps to which a batch is cut."""
    an_octave: int = 2
    """To how many widths batches are cut, an octave: more of them leave less padding, and take
    longer to compile."""

    @property
    def count(self):
        """How many examples there are."""
        return len(keras.tree.flatten(self.targets)[0])


def epochs_of_batches(examples, batch_size, seed, first_epoch, epochs, mine=(0,), parts=1):
    """Batches of all epochs from `first_epoch` on, one after the other.

    A run that stops after an epoch and goes on later sees what an undisturbed one sees. Examples
    of about the same length come together, cut to one of a few widths.

    For several devices a batch comes in parts of the same size and width. One that cannot be
    divided, such as the last of an epoch may be, has some of its examples twice, or more often if
    there are fewer of them than parts.

    Args:
        examples: `Examples`.
        batch_size: Examples a batch; the last batch of an epoch may have fewer.
        seed: Of the order.
        first_epoch: Epochs already done.
        epochs: Epochs in all.
        mine: The parts of every batch that are wanted, one after the other.
        parts: How many there are.

    Returns:
        A `tf.data.Dataset` of (inputs, targets).
    """
    import tensorflow as tf

    def as_tensor(array):
        if isinstance(array, Ragged):
            return tf.RaggedTensor.from_row_lengths(array.values, array.lengths)
        return tf.convert_to_tensor(array)

    arrays = tf.nest.map_structure(as_tensor, examples[:2])
    count, lengths = examples.count, examples.lengths

    def rows_of_batches():
        for epoch in range(first_epoch, epochs):
            random = np.random.default_rng([seed, epoch])
            order = random.permutation(count)
            if lengths is not None:
                # A stable sort: within a width, the order stays random.
                widths = [_width(n, examples) for n in lengths[order]]
                order = order[np.argsort(widths, kind="stable")]
            batches = [order[i : i + batch_size] for i in range(0, count, batch_size)]
            if lengths is not None:
                random.shuffle(batches)
            for rows in batches:
                wide = 0 if lengths is None else _width(max(lengths[rows]), examples)
                rows = np.resize(rows, -(-len(rows) // parts) * parts)
                for part in mine:
                    yield rows[part::parts], wide

    rows = tf.data.Dataset.from_generator(
        rows_of_batches,
        output_signature=(tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)),
    )
    longest = None if lengths is None else max(lengths)

    def gathered(rows, wide):
        def found(array):
            if isinstance(array, tf.RaggedTensor):
                shape = tf.stack([-1, tf.minimum(wide, longest)])
                return tf.gather(array, rows).to_tensor(shape=shape)
            timed = longest is not None and array.shape.rank > 1 and array.shape[1] == longest
            array = tf.gather(array, rows)
            return array[:, :wide] if timed else array

        return tf.nest.map_structure(found, arrays)

    return rows.map(gathered).prefetch(2)


def _width(length, examples):
    return width(length, examples.an_octave, examples.least)


def width(length, an_octave=2, least=16):
    """The length to which a sequence is padded: 16, 24, 32, 48, 64 ..., two an octave.

    Args:
        length: Of the sequence.
        an_octave: How many widths an octave has; a power of two.
        least: The shortest of them, at least as much.
    """
    if length <= least:
        return least
    step = 2 ** math.floor(math.log2(length - 1)) // an_octave
    return -(-length // step) * step


def by_length(lengths, batch_size):
    """Rows to go together when order does not matter: those of like length, the longest first.

    Args:
        lengths: Of the examples.
        batch_size: Examples a batch, at most.

    Returns:
        A list of (row numbers, width), widths four an octave. In no batch is a row shorter than
        half the width, unless that is 16.
    """
    order = np.argsort(np.negative(lengths), kind="stable")
    octaves = collections.defaultdict(list)
    for row in order:
        octaves[width(lengths[row], 1)].append(row)
    return [
        (rows[i : i + batch_size], width(lengths[rows[i]], 4))
        for rows in octaves.values()
        for i in range(0, len(rows), batch_size)
    ]


def filled(nest, rows, wide):
    """Rows of arrays in one of few shapes, so that little is compiled for them.

    Args:
        nest: Arrays (examples, ...); of more than one axis, the second is time; or `Ragged`.
        rows: Numbers of at least one row.
        wide: Time steps, not fewer than any of the rows has.

    Returns:
        The nest with arrays (rows, wide, ...): zeros follow in time, and after the rows given the
        last of them again, until they are as many as a power of two.
    """
    count = 2 ** (len(rows) - 1).bit_length()
    rows = np.asarray(rows)[np.minimum(np.arange(count), len(rows) - 1)]

    def fill(array):
        array = array[rows]
        if array.ndim == 1:
            return array
        array = array[:, :wide]
        return np.pad(array, [(0, 0), (0, wide - array.shape[1])] + [(0, 0)] * (array.ndim - 2))

    return keras.tree.map_structure(fill, nest)

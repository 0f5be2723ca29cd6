"""Examples before and after encoding, and batches of them whose order depends on the seed alone."""

import collections
import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np


class RaggedArray:
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


Arrays = Any
"""An array, a `RaggedArray`, or a dict of these by name. The first axis is examples."""


@dataclasses.dataclass(frozen=True, eq=False)
class RawExamples:
    """Examples of one split as the data has them: texts, pictures, sound.

    Args:
        inputs: What a model is asked about, one per example.
        targets: What it is to answer: one per example, or a dict of such sequences; None if the
            inputs say it themselves.

    Example:
        >>> examples = RawExamples(["fine", "awful"], ["good", "bad"])
        >>> len(examples)
        2
    """

    inputs: Sequence[Any]
    targets: Any = None

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.inputs)


@dataclasses.dataclass(frozen=True, eq=False)
class EncodedDataset:
    """Examples of one split as arrays that a model is trained on.

    Args:
        inputs: What the model takes.
        targets: What it is to answer, or None.
        lengths: Time steps of each example `(examples,)`, if they differ.
        sequences: Names of the arrays whose second axis is time, `(examples, timesteps, ...)`,
            padded at the end to one length: keys of the dicts, or "inputs" and "targets" for what
            is a single array. A `RaggedArray` is a sequence without being named. Only these arrays
            are cut to the length of the longest example of a batch.
        min_length: Shortest length to which a batch is cut or padded.
        buckets_per_octave: Number of such lengths between one and its double, a power of two. More
            of them leave less padding and take longer to compile.

    Raises:
        ValueError: If the arrays do not fit each other or what is said of them.

    Example:
        >>> tokens = np.array([[4, 5, 0], [6, 7, 8]])
        >>> dataset = EncodedDataset({"tokens": tokens}, np.array([0, 1]), [2, 3], ["tokens"])
        >>> dataset.pad_batch([0], 2)
        ({'tokens': array([[4, 5]])}, array([0]))
    """

    inputs: Arrays
    targets: Arrays = None
    lengths: Any = None
    sequences: Collection[str] = ()
    min_length: int = 16
    buckets_per_octave: int = 2

    def __post_init__(self) -> None:
        arrays = {**_by_name("inputs", self.inputs), **_by_name("targets", self.targets)}
        if unknown := sorted(set(self.sequences) - set(arrays)):
            raise ValueError(f"sequences has {unknown[0]!r}; the arrays are {sorted(arrays)}.")
        counts = {name: len(array) for name, array in arrays.items()}
        if self.lengths is not None:
            counts["lengths"] = len(self.lengths)
        if len(set(counts.values())) > 1:
            raise ValueError(f"The arrays have different numbers of examples: {counts}.")
        if self.lengths is None:
            return
        longest = max(self.lengths, default=0)
        timed = {name: array for name, array in arrays.items() if self.is_sequence(name, array)}
        if not timed:
            raise ValueError("There are lengths, but sequences names no array.")
        for name, array in timed.items():
            if not isinstance(array, RaggedArray) and (array.ndim < 2 or array.shape[1] < longest):
                raise ValueError(
                    f"{name!r} has the shape {array.shape}, and the longest example {longest} time "
                    "steps."
                )

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(next(iter(_by_name("inputs", self.inputs).values())))

    def is_sequence(self, name: str, array: Any) -> bool:
        """Return whether the second axis of an array is time.

        Args:
            name: Its name, as in `sequences`.
            array: The array, whose type tells if it is a `RaggedArray`.
        """
        return name in self.sequences or isinstance(array, RaggedArray)

    def pad_batch(self, rows: Sequence[int], length: int) -> tuple[Arrays, Arrays]:
        """Return some examples in one of few shapes, so that few programs are compiled for them.

        Args:
            rows: Numbers of at least one example.
            length: Time steps, not fewer than any of them has.

        Returns:
            Inputs and targets with `(rows, length, ...)` for sequences. Zeros follow in time. After
            the rows given the last of them is repeated until they are as many as a power of two.
        """
        numbers = _power_of_two(rows)

        def padded(name: str, array: Any) -> Any:
            is_sequence = self.is_sequence(name, array)
            return pad_rows(array, rows, length) if is_sequence else array[numbers]

        return _map(padded, "inputs", self.inputs), _map(padded, "targets", self.targets)


def pad_rows(array: Any, rows: Sequence[int], length: int) -> Any:
    """Return some rows of a sequence array `(examples, timesteps, ...)`; see `pad_batch`."""
    array = array[_power_of_two(rows)][:, :length]
    shape = [(0, 0), (0, length - array.shape[1])] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, shape)


def _power_of_two(rows: Sequence[int]) -> np.ndarray:
    """Return row numbers, the last repeated until they are as many as a power of two."""
    count = 2 ** (len(rows) - 1).bit_length()
    return np.asarray(rows)[np.minimum(np.arange(count), len(rows) - 1)]


def _by_name(whole: str, arrays: Arrays) -> Mapping[str, Any]:
    if arrays is None:
        return {}
    return arrays if isinstance(arrays, Mapping) else {whole: arrays}


def _map(function: Callable[[str, Any], Any], whole: str, arrays: Arrays) -> Arrays:
    """Return arrays with a function of name and array applied to each."""
    if arrays is None:
        return None
    if isinstance(arrays, Mapping):
        return {name: function(name, array) for name, array in arrays.items()}
    return function(whole, arrays)


def make_batches(
    examples: EncodedDataset,
    batch_size: int,
    seed: int,
    initial_epoch: int,
    epochs: int,
    shards: Sequence[int] = (0,),
    num_shards: int = 1,
) -> Any:
    """Return the batches of all epochs from `initial_epoch` on, one after the other.

    A run that stops after an epoch and goes on later sees what an undisturbed one sees. Examples
    of about the same length come together, cut to one of a few lengths.

    For several devices a batch comes in parts of the same size and length. One that cannot be
    divided, such as the last of an epoch may be, has some of its examples twice, or more often if
    there are fewer of them than parts.

    Args:
        examples: Encoded examples.
        batch_size: Batch size; the last batch of an epoch may be smaller.
        seed: Random seed of the order.
        initial_epoch: Epochs already done.
        epochs: Epochs in all.
        shards: Numbers of the parts of every batch that are wanted, one after the other.
        num_shards: Number of parts of a batch.

    Returns:
        A `tf.data.Dataset` of (inputs, targets).
    """
    import tensorflow as tf

    def as_tensor(name: str, array: Any) -> Any:
        if isinstance(array, RaggedArray):
            return tf.RaggedTensor.from_row_lengths(array.values, array.lengths)
        return tf.convert_to_tensor(array)

    inputs = _map(as_tensor, "inputs", examples.inputs)
    targets = _map(as_tensor, "targets", examples.targets)
    count = len(examples)
    lengths = None if examples.lengths is None else np.asarray(examples.lengths)

    def rows_of_batches():
        for epoch in range(initial_epoch, epochs):
            random = np.random.default_rng([seed, epoch])
            order = random.permutation(count)
            if lengths is not None:
                # A stable sort: within a length, the order stays random.
                buckets = [_bucket(n, examples) for n in lengths[order]]
                order = order[np.argsort(buckets, kind="stable")]
            batches = [order[i : i + batch_size] for i in range(0, count, batch_size)]
            if lengths is not None:
                random.shuffle(batches)
            for rows in batches:
                length = 0 if lengths is None else _bucket(max(lengths[rows]), examples)
                rows = np.resize(rows, -(-len(rows) // num_shards) * num_shards)
                for shard in shards:
                    yield rows[shard::num_shards], length

    rows = tf.data.Dataset.from_generator(
        rows_of_batches,
        output_signature=(tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)),
    )
    longest = 0 if lengths is None else max(lengths)

    def gathered(rows, length):
        def batch(name: str, array: Any) -> Any:
            if isinstance(array, tf.RaggedTensor):
                shape = tf.stack([-1, tf.minimum(length, longest)])
                return tf.gather(array, rows).to_tensor(shape=shape)
            array = tf.gather(array, rows)
            is_cut = lengths is not None and name in examples.sequences
            return array[:, :length] if is_cut else array

        return _map(batch, "inputs", inputs), _map(batch, "targets", targets)

    return rows.map(gathered).prefetch(2)


def _bucket(length: int, examples: EncodedDataset) -> int:
    return bucket_length(length, examples.buckets_per_octave, examples.min_length)


def bucket_length(length, buckets_per_octave=2, min_length=16):
    """Return the length to which a sequence is padded: 16, 24, 32, 48, 64, ...

    Args:
        length: Number of time steps.
        buckets_per_octave: Number of such lengths between one and its double, a power of two.
        min_length: Shortest of these lengths.
    """
    if length <= min_length:
        return min_length
    step = max(1, 2 ** math.floor(math.log2(length - 1)) // buckets_per_octave)
    return -(-length // step) * step


def bucket_by_length(lengths, batch_size):
    """Return batches of examples of similar length, the longest first.

    Args:
        lengths: Number of time steps of each example.
        batch_size: Batch size, at most.

    Returns:
        List of pairs: the numbers of the examples of a batch, and the length to pad them to. There
        are four such lengths between one and its double. Every example has at least half that
        length, unless it is 16.
    """
    order = np.argsort(np.negative(lengths), kind="stable")
    octaves = collections.defaultdict(list)
    for row in order:
        octaves[bucket_length(lengths[row], 1)].append(row)
    return [
        (rows[i : i + batch_size], bucket_length(lengths[rows[i]], 4))
        for rows in octaves.values()
        for i in range(0, len(rows), batch_size)
    ]

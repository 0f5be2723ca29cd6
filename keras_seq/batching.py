"""Datasets before and after encoding, and length-bucketed batches in a reproducible order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_seq._internal.buckets import bucket_length
from keras_seq._internal.ragged import RaggedArray
from keras_seq._internal.types import Array, ArrayLike

if TYPE_CHECKING:
    import tensorflow as tf


MAX_BATCH_STEPS = 32_768
"""Maximum number of time steps of a batch in training, padding included, over all its examples. A
larger batch is divided, since training keeps the activations of all time steps: about 50 kB per
step in a network of two bidirectional layers of 128 units."""

Arrays: TypeAlias = Any
"""An array, a `RaggedArray`, or a dict of these by name. The first axis is examples."""


@dataclasses.dataclass(frozen=True, eq=False)
class RawExamples:
    """Examples of one split before encoding, such as texts, images or audio.

    >>> from keras_seq.batching import RawExamples
    >>> len(RawExamples(["fine", "awful"], ["good", "bad"]))
    2

    Args:
        inputs: Sequence or array of inputs, one per example.
        targets: Targets, one per example, or a dict of such sequences. None if the inputs are the
            targets too.
    """

    inputs: Any
    targets: Any = None

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.inputs)


@dataclasses.dataclass(frozen=True, eq=False)
class EncodedDataset:
    """Examples of one split as arrays for training.

    >>> import numpy as np
    >>> from keras_seq.batching import EncodedDataset
    >>> ids = np.array([[4, 5, 0], [6, 7, 8]])
    >>> dataset = EncodedDataset({"ids": ids}, np.array([0, 1]), [2, 3], ["ids"])
    >>> dataset.pad_batch([0], 2)
    ({'ids': array([[4, 5]])}, array([0]))

    Args:
        inputs: Inputs of the model.
        targets: Targets of the model, or None.
        lengths: Number of time steps of each example, `(examples,)`. None if all have the same.
        sequences: Names of the arrays `(examples, timesteps, ...)`, padded at the end: keys of the
            dicts, or "inputs" and "targets" for single arrays. A `RaggedArray` need not be named.
            Only these arrays are cropped to the bucket length of a batch.
        min_length: Minimum bucket length.
        buckets_per_octave: Number of bucket lengths per doubling of the length, a power of two.
            More buckets mean less padding and more compilation.
        weights: Weight of each example in the loss, `(examples,)`, or None.
        step_length: Length of one time step of the recurrent layers, in the unit of `lengths`, such
            as samples of audio. It determines which batches are divided, see `make_batches`.

    Raises:
        ValueError: If the arrays do not match each other, `lengths` or `sequences`.
    """

    inputs: Arrays
    targets: Arrays = None
    lengths: ArrayLike = None
    sequences: Collection[str] = ()
    min_length: int = 16
    buckets_per_octave: int = 2
    weights: ArrayLike = None
    step_length: int = 1

    def __post_init__(self) -> None:
        arrays = {**_by_name("inputs", self.inputs), **_by_name("targets", self.targets)}
        if unknown := sorted(set(self.sequences) - set(arrays)):
            raise ValueError(
                f"`sequences` names {unknown[0]!r}, but the arrays are {sorted(arrays)}."
            )
        counts = {name: len(array) for name, array in arrays.items()}
        for name in ("lengths", "weights"):
            if getattr(self, name) is not None:
                counts[name] = len(getattr(self, name))
        if len(set(counts.values())) > 1:
            raise ValueError(f"The arrays have different numbers of examples: {counts}.")
        if self.lengths is None:
            return
        max_length = max(self.lengths, default=0)
        timed = {name: array for name, array in arrays.items() if self.is_sequence(name, array)}
        if not timed:
            raise ValueError("`lengths` is given, but `sequences` names no array.")
        for name, array in timed.items():
            is_ragged = isinstance(array, RaggedArray)
            if not is_ragged and (array.ndim < 2 or array.shape[1] < max_length):
                raise ValueError(
                    f"{name!r} has the shape {array.shape}, but the longest example has "
                    f"{max_length} time steps."
                )

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(next(iter(_by_name("inputs", self.inputs).values())))

    def is_sequence(self, name: str, array: Any) -> bool:
        """Return whether the second axis of an array is time.

        Args:
            name: Name of the array, as in `sequences`.
            array: Array; a `RaggedArray` is always a sequence.
        """
        return name in self.sequences or isinstance(array, RaggedArray)

    def without_padding(self) -> EncodedDataset:
        """Return the dataset with its sequences as `RaggedArray`, which need less memory.

        An array with other values than zeros in its padding remains, and one that is longer than
        the longest example.
        """
        if self.lengths is None:
            return self
        lengths = np.asarray(self.lengths)

        def compact(name: str, array: Any) -> Any:
            if name not in self.sequences or isinstance(array, RaggedArray):
                return array
            is_longer = array.shape[1] > max(lengths, default=0)
            if is_longer or any(row[n:].any() for row, n in zip(array, lengths)):
                return array
            rows = [row[:length] for row, length in zip(array, lengths)]
            return RaggedArray(rows, array.dtype)

        return dataclasses.replace(
            self,
            inputs=_map(compact, "inputs", self.inputs),
            targets=_map(compact, "targets", self.targets),
        )

    def pad_batch(
        self, indices: Sequence[int], length: int, num_rows: int | None = None
    ) -> tuple[Arrays, Arrays]:
        """Return some examples, padded to one of few shapes to limit compilation.

        Args:
            indices: Indices of at least one example.
            length: Number of time steps, at least that of each example.
            num_rows: Number of rows, at least that of `indices`. Default: the next power of two.

        Returns:
            Inputs and targets, `(num_rows, length, ...)` for sequences, padded with zeros. The last
            example is repeated.
        """
        repeated = _repeat_last(indices, num_rows)

        def pad(name: str, array: Any) -> Any:
            is_sequence = self.is_sequence(name, array)
            return _set_length(array[repeated], length) if is_sequence else array[repeated]

        return _map(pad, "inputs", self.inputs), _map(pad, "targets", self.targets)


def _set_length(rows: Array, length: int) -> Array:
    """Return sequences `(rows, timesteps, ...)`, cropped or padded with zeros to a length."""
    rows = rows[:, :length]
    return np.pad(rows, [(0, 0), (0, length - rows.shape[1])] + [(0, 0)] * (rows.ndim - 2))


def _repeat_last(indices: Sequence[int], count: int | None = None) -> Array:
    """Return indices with the last one repeated, by default up to a power of two."""
    if count is None:
        count = 2 ** (len(indices) - 1).bit_length()
    return np.asarray(indices)[np.minimum(np.arange(count), len(indices) - 1)]


def _by_name(default: str, arrays: Arrays) -> Mapping[str, Any]:
    """Return arrays by name; a single array has the default name."""
    if arrays is None:
        return {}
    return arrays if isinstance(arrays, Mapping) else {default: arrays}


def _map(function: Callable[[str, Any], Any], default: str, arrays: Arrays) -> Arrays:
    """Apply a function of name and array to each array; a single array has the default name."""
    if arrays is None:
        return None
    if isinstance(arrays, Mapping):
        return {name: function(name, array) for name, array in arrays.items()}
    return function(default, arrays)


def count_batches(examples: EncodedDataset, batch_size: int) -> int:
    """Return the number of batches of an epoch, see `make_batches`.

    Args:
        examples: Encoded examples.
        batch_size: Batch size.
    """
    return sum(1 for _ in _epoch_batches(examples, batch_size, seed=0, epoch=0))


def make_batches(
    examples: EncodedDataset,
    batch_size: int,
    seed: int,
    initial_epoch: int,
    epochs: int,
    shards: Sequence[int] = (0,),
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Return the batches of all epochs from `initial_epoch` on.

    The order depends on the seed and the epoch only, so a resumed run gets the same batches as an
    uninterrupted one. A batch holds examples of similar length, cropped to a bucket length. A batch
    with more than `MAX_BATCH_STEPS` time steps is divided into smaller ones.

    For distributed training, a batch consists of shards of equal size and length. Examples are
    repeated in a batch that cannot be divided evenly, such as the last of an epoch.

    Args:
        examples: Encoded examples.
        batch_size: Batch size; the last batch of an epoch may be smaller.
        seed: Random seed of the order.
        initial_epoch: Number of completed epochs.
        epochs: Total number of epochs, completed ones included.
        shards: Indices of the shards of every batch to return, in this order.
        num_shards: Number of shards of a batch.

    Returns:
        Dataset of tuples (inputs, targets), or (inputs, targets, weights) of weighted examples. The
        arrays of the examples are not copied.
    """
    import tensorflow as tf

    def generate() -> Iterator[tuple[Arrays, ...]]:
        for epoch in range(initial_epoch, epochs):
            for batch, length in _epoch_batches(examples, batch_size, seed, epoch):
                divisible = np.resize(batch, -(-len(batch) // num_shards) * num_shards)
                for shard in shards:
                    yield _take_batch(examples, kinds, divisible[shard::num_shards], length)

    def spec(name: str, array: Any) -> tf.TensorSpec:
        is_sequence = _is_cropped(examples, name, array)
        known = array.shape[1 + is_sequence :]
        return tf.TensorSpec([None, *[None] * is_sequence, *known], array.dtype)

    kinds = [n for n in ("inputs", "targets", "weights") if getattr(examples, n) is not None]
    signature = tuple(_map(spec, kind, getattr(examples, kind)) for kind in kinds)
    batches = tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2)
    # More threads would compete with the train step for the cores.
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = options.threading.max_intra_op_parallelism = 1
    return batches.with_options(options)


def _take_batch(
    examples: EncodedDataset, kinds: Sequence[str], indices: Array, length: int
) -> tuple[Arrays, ...]:
    """Return the inputs, targets or weights of some examples.

    Args:
        examples: Encoded examples.
        kinds: Names of attributes of `examples`.
        indices: Indices of the examples.
        length: Bucket length. Sequences are not padded beyond the longest example.
    """

    def take(name: str, array: Any) -> Array:
        if not _is_cropped(examples, name, array):
            return array[indices]
        if isinstance(array, RaggedArray):
            return _set_length(array[indices], min(length, int(np.max(examples.lengths))))
        return array[indices, :length]

    return tuple(_map(take, kind, getattr(examples, kind)) for kind in kinds)


def _is_cropped(examples: EncodedDataset, name: str, array: Any) -> bool:
    """Return whether an array is cropped to the length of a batch."""
    return examples.lengths is not None and examples.is_sequence(name, array)


def _epoch_batches(
    examples: EncodedDataset, batch_size: int, seed: int, epoch: int
) -> Iterator[tuple[Array, int]]:
    """Yield the indices and the bucket length of each batch of an epoch, in random order."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(examples))
    if examples.lengths is None:
        for i in range(0, len(examples), batch_size):
            yield order[i : i + batch_size], 0
        return
    lengths = np.asarray(examples.lengths)
    options = examples.buckets_per_octave, examples.min_length
    # The sort is stable, so that the order within a bucket stays random.
    buckets = [bucket_length(n, *options) for n in lengths[order]]
    order = order[np.argsort(buckets, kind="stable")]
    batches = [order[i : i + batch_size] for i in range(0, len(examples), batch_size)]
    random.shuffle(batches)
    for batch in batches:
        length = bucket_length(max(lengths[batch]), *options)
        for part in _divide(batch, lengths[batch], -(-length // examples.step_length)):
            yield part, bucket_length(max(lengths[part]), *options)


def _divide(batch: Array, lengths: Array, num_steps: int) -> list[Array]:
    """Return the examples of a batch in parts of at most `MAX_BATCH_STEPS` time steps.

    Args:
        batch: Indices of the examples.
        lengths: Length of each.
        num_steps: Number of time steps to which they are padded.
    """
    num_parts = min(len(batch), -(-len(batch) * num_steps // MAX_BATCH_STEPS))
    if num_parts == 1:
        return [batch]
    return np.array_split(batch[np.argsort(lengths, kind="stable")], num_parts)

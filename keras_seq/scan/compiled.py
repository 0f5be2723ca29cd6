"""Compilation of functions over sequences, even if the user's model is not compiled."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from keras_seq._internal.export_target import export_target, follow_keras_exports
from keras_seq._internal.tensorflow_compat import under_xla
from keras_seq._internal.types import Tensor

Program: TypeAlias = Callable[..., tuple[list[Tensor], list[Tensor]]]
"""Function from tensors to a list of sequences and a list of tensors `(batch, ...)`."""

MAX_EXACT_LENGTHS = 16
"""Number of lengths that get a program of their own; others are rounded up to a bucket."""
MIN_BUCKET_LENGTH = 32
"""Length of the shortest bucket, in time steps."""

if keras.backend.backend() == "tensorflow":
    follow_keras_exports()


def xla_disabled_reason() -> str | None:
    """Return why TensorFlow must not run separate XLA programs, as a clause; None if it may."""
    if has_gpu():
        return "there is a GPU"
    if export_target() is not None:
        return "the model is being exported, and XLA programs are not portable"
    return None


def run_compiled(
    program: Program, sequences: Sequence[Tensor], others: Sequence[Tensor]
) -> list[Tensor]:
    """Run `program(*sequences, *others)`, compiled where that is faster.

    On TensorFlow, XLA compiles the program. The batch is split into shards, one per core, since XLA
    runs a loop on one core only.

    Args:
        program: Module-level function without a gradient. Zeros at the end of all sequences must
            not change its results.
        sequences: Tensors `(batch, timesteps, ...)`.
        others: Tensors without a batch axis.

    Returns:
        The two lists that the program returns, concatenated.
    """
    if keras.backend.backend() == "tensorflow" and xla_disabled_reason() is None:
        return _run_sharded(program, sequences, others)
    if keras.backend.backend() == "jax":
        program = _jax_jit(program)
    outputs, rest = program(*sequences, *others)
    return [*outputs, *rest]


def _run_sharded(
    program: Program, sequences: Sequence[Tensor], others: Sequence[Tensor]
) -> list[Tensor]:
    import tensorflow as tf

    # Tensors, because a `tf.function` is traced again for every variable.
    sequences, others = ([tf.convert_to_tensor(t) for t in group] for group in (sequences, others))
    first = sequences[0]
    timesteps = ops.shape(first)[1]
    if not has_exact_program(program, first.shape[1]):
        end = [0, padding_to_bucket(timesteps)]
        sequences = [ops.pad(s, [[0, 0], end] + [[0, 0]] * (len(s.shape) - 2)) for s in sequences]
    num_shards = choose_num_shards(first.shape[0])
    run = _xla_function(program, first.shape[-1])
    shards = zip(*(split_batch(sequence, num_shards) for sequence in sequences))
    outputs, rest = zip(*(run(*shard, *others) for shard in shards))
    joined = (join_shards(s)[:, :timesteps] for s in zip(*outputs))
    return [*joined, *map(join_shards, zip(*rest))]


@functools.cache
def _xla_function(program: Program, width: int | None) -> Any:
    """Return a function that XLA compiles, one per width of the sequences.

    `reduce_retracing` generalizes sizes that differ between calls. Only the length may differ.
    """
    del width  # part of the cache key
    import tensorflow as tf

    return tf.function(program, jit_compile=True, autograph=False, reduce_retracing=True)


@functools.cache
def _jax_jit(program: Program) -> Program:
    import jax

    return jax.jit(program)


def has_exact_program(program: Any, timesteps: int | None) -> bool:
    """Return whether a program is compiled for exactly this length.

    These are the first `MAX_EXACT_LENGTHS` known lengths in graphs. Within a function that XLA
    compiles as a whole, all are, since that function is compiled for every length anyway.

    Args:
        program: Function or other key of the program.
        timesteps: Number of time steps, None if unknown.
    """
    import tensorflow as tf

    if under_xla():
        return True
    lengths = _exact_lengths(program)
    if timesteps is not None and not tf.executing_eagerly() and len(lengths) < MAX_EXACT_LENGTHS:
        lengths.add(timesteps)
    return timesteps in lengths


@functools.cache
def _exact_lengths(program: Any) -> set[int]:
    """Return the set of lengths compiled exactly, to which `has_exact_program` adds."""
    del program  # the cache key
    return set()


def padding_to_bucket(timesteps: Tensor) -> Tensor:
    """Return the number of time steps that pad a length to its bucket.

    XLA compiles a program per length, which takes longer than many batches of short sequences. So
    there is one bucket up to `MIN_BUCKET_LENGTH`, and at most four between a longer length and its
    double.

    Args:
        timesteps: Scalar int32 tensor.
    """
    import tensorflow as tf

    # Distance between buckets, 2 ** (floor(log2(timesteps)) - 2), computed in integers.
    powers = tf.constant([2**k for k in range(31)])
    step = tf.reduce_max(tf.where(powers <= timesteps, powers, 1)) // 4
    return tf.where(
        timesteps <= MIN_BUCKET_LENGTH,
        MIN_BUCKET_LENGTH - timesteps,
        -timesteps % tf.maximum(step, 1),
    )


def choose_num_shards(batch_size: int | None, min_rows: int = 4) -> int:
    """Return the number of shards of a batch: at most one per core.

    Args:
        batch_size: Number of rows, None if unknown.
        min_rows: Minimum number of rows per shard.
    """
    num_cores = os.cpu_count() or 1
    return num_cores if batch_size is None else max(1, min(num_cores, batch_size // min_rows))


def split_batch(tensor: Tensor | None, num_shards: int) -> list[Tensor]:
    """Split the first axis of a tensor into shards; the last one takes the remaining rows.

    Args:
        tensor: `(batch, ...)`; None gives a None per shard.
        num_shards: Number of shards.
    """
    if tensor is None or num_shards == 1:
        return [tensor] * num_shards

    import tensorflow as tf

    rows = tensor.shape[0] or tf.shape(tensor)[0]
    sizes = [rows // num_shards] * (num_shards - 1)
    return tf.split(tensor, [*sizes, rows - sum(sizes)], num=num_shards)


def join_shards(shards: Sequence[Tensor]) -> Tensor:
    """Concatenate the shards of a tensor along the first axis."""
    return shards[0] if len(shards) == 1 else ops.concatenate(shards, axis=0)


def has_gpu() -> bool:
    """Return whether TensorFlow has a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))

"""Programs over time that are compiled whatever the user's own code does."""

import functools
import os

import keras
from keras import ops

from keras_seq._internal.export_target import export_target, follow_keras_exports
from keras_seq._internal.tensorflow_compat import under_xla

MAX_EXACT_LENGTHS = 16
"""For how many lengths a program is compiled; others are rounded up to one of a few."""
MIN_BUCKET_LENGTH = 32
"""The shortest of these few."""

if keras.backend.backend() == "tensorflow":
    follow_keras_exports()


def xla_disabled_reason():
    """Why TensorFlow must not run programs that XLA compiled for themselves, or None."""
    if has_gpu():
        return "there is a GPU"
    if export_target() is not None:
        return "the model is being exported, and XLA's programs are not portable"
    return None


def run_compiled(program, sequences, others):
    """Runs `program(*sequences, *others)`, compiled where that pays.

    On TensorFlow it is compiled by XLA, in shares of the batch, one a core, since XLA's loops use
    one core only.

    Args:
        program: A function of a module, without a gradient; zeros that all sequences have at the
            end change nothing to it. Returns a list of sequences and a list of tensors
            `(batch, ...)`.
        sequences: Tensors `(batch, timesteps, ...)`.
        others: Tensors without a batch.

    Returns:
        The two lists in one.
    """
    if keras.backend.backend() == "tensorflow" and xla_disabled_reason() is None:
        return _on_tensorflow(program, sequences, others)
    if keras.backend.backend() == "jax":
        program = _compiled_on_jax(program)
    over, rest = program(*sequences, *others)
    return [*over, *rest]


def _on_tensorflow(program, sequences, others):
    import tensorflow as tf

    # Not as variables, whose identity a function would remember.
    sequences, others = ([tf.convert_to_tensor(t) for t in group] for group in (sequences, others))
    first = sequences[0]
    timesteps = ops.shape(first)[1]
    if not has_exact_program(program, first.shape[1]):
        end = [0, padding_to_bucket(timesteps)]
        sequences = [ops.pad(s, [[0, 0], end] + [[0, 0]] * (len(s.shape) - 2)) for s in sequences]
    count = num_shards(first.shape[0])
    run = _compiled_on_tensorflow(program, first.shape[-1])
    parts = zip(*(split_batch(sequence, count) for sequence in sequences))
    over, rest = zip(*(run(*part, *others) for part in parts))
    return [*(join_shards(s)[:, :timesteps] for s in zip(*over)), *map(join_shards, zip(*rest))]


@functools.cache
def _compiled_on_tensorflow(program, width):
    """One function a width of the sequences, since it may forget what differs between calls."""
    import tensorflow as tf

    return tf.function(program, jit_compile=True, autograph=False, reduce_retracing=True)


@functools.cache
def _compiled_on_jax(program):
    import jax

    return jax.jit(program)


def has_exact_program(program, timesteps):
    """Whether a program is compiled for just this length: for the first few known ones it is.

    A function that XLA compiles as a whole is compiled for each length anyway.
    """
    import tensorflow as tf

    if under_xla():
        return True
    lengths = _exact_lengths(program)
    if timesteps is not None and not tf.executing_eagerly() and len(lengths) < MAX_EXACT_LENGTHS:
        lengths.add(timesteps)
    return timesteps in lengths


@functools.cache
def _exact_lengths(program):
    """The lengths met that have a program of their own."""
    return set()


def padding_to_bucket(timesteps):
    """How many time steps to add to reach one of a few lengths.

    XLA compiles a program for each length, which takes longer than many batches of short sequences.
    So there is one program up to `MIN_BUCKET_LENGTH`, and at most four between a longer length and
    its double.
    """
    import tensorflow as tf

    # The octave's fourth part: 2 ** (floor(log2(timesteps)) - 2), computed in whole numbers.
    powers = tf.constant([2**k for k in range(31)])
    step = tf.reduce_max(tf.where(powers <= timesteps, powers, 1)) // 4
    return tf.where(
        timesteps <= MIN_BUCKET_LENGTH,
        MIN_BUCKET_LENGTH - timesteps,
        -timesteps % tf.maximum(step, 1),
    )


def num_shards(batch, rows=4):
    """Into how many shares a batch is split: one a core, but of a few rows at least."""
    cores = os.cpu_count() or 1
    return cores if batch is None else max(1, min(cores, batch // rows))


def split_batch(tensor, count):
    """A tensor in shares of its first axis, the last of which may have a few rows more."""
    if tensor is None or count == 1:
        return [tensor] * count

    import tensorflow as tf

    rows = tensor.shape[0] or tf.shape(tensor)[0]
    sizes = [rows // count] * (count - 1)
    return tf.split(tensor, [*sizes, rows - sum(sizes)], num=count)


def join_shards(parts):
    """The shares of a tensor as one."""
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=0)


def has_gpu():
    """Whether TensorFlow has a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))

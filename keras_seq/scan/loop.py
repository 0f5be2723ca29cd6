"""Loops over time steps, a fast one and a differentiable one."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_seq._internal.export_target import dispatch_by_target
from keras_seq._internal.float64 import tanh
from keras_seq.scan import compiled

_differentiable = contextvars.ContextVar("differentiable", default=False)


@contextlib.contextmanager
def differentiable_loops() -> Iterator[None]:
    """Let `loop` run as `differentiable_loop` for the length of a `with` block."""
    token = _differentiable.set(True)
    try:
        yield
    finally:
        _differentiable.reset(token)


class Columns(NamedTuple):
    """Some columns of a sequence, read on their own.

    XLA vectorizes a computation on pieces; if a step read all columns and then split them, XLA
    would compute one element after the other, several times slower.
    """

    sequence: Any
    start: int
    width: int


def split_columns(sequence, *widths):
    """The columns of a sequence in pieces."""
    return [Columns(sequence, sum(widths[:i]), width) for i, width in enumerate(widths)]


@dispatch_by_target
def loop(step, carry, sequences, widths, reverse=False, span=None):
    """Runs `carry, elements_out = step(carry, elements)` over the second axis.

    Batches stay outermost, so that nothing is ever transposed. On TensorFlow, what XLA compiles of
    it has no gradient; `differentiable_loop` has, which runs within `differentiable_loops`.

    Args:
        step: Takes the carry and a tuple of one element of each sequence; returns the new carry
            and a tuple of elements to stack.
        carry: Tuple of tensors.
        sequences: Tensors `(batch, timesteps, n)`, or a `Columns` of one; a None is left out.
        widths: The n of every stack.
        reverse: Whether to begin at the last time step; what is stacked keeps the order of time.
        span: Pair `(first, stop)` of the steps to run, counted in the order computed, where XLA
            compiles the loop. What is stacked of others is zeros. Default: all.

    Returns:
        The last carry, and a tuple of stacked tensors `(batch, timesteps, n)`.
    """
    if _differentiable.get():
        return differentiable_loop(step, carry, sequences, widths, reverse)
    read = _read(sequences)
    if keras.backend.backend() == "torch":
        return _by_scan(step, carry, read, reverse)
    batch, timesteps, _ = ops.shape(read[0].sequence)
    if keras.backend.backend() == "tensorflow" and compiled.xla_disabled_reason() is not None:
        return _by_tensorflow(step, carry, lambda t: _at(t, read), timesteps, widths, reverse)

    def body(count, state):
        carry, stacks = state
        t = timesteps - 1 - count if reverse else count
        carry, out = step(carry, _at(t, read))
        pairs = zip(stacks, out, strict=True)
        return carry, tuple(ops.slice_update(stack, (0, t, 0), e[:, None]) for stack, e in pairs)

    stacks = tuple(ops.zeros((batch, timesteps, width), carry[0].dtype) for width in widths)
    carry, stacks = ops.fori_loop(*(span or (0, timesteps)), body, (carry, stacks))
    # TensorFlow forgets even the rank of what is updated where it does not know the length.
    shapes = [(batch, timesteps, width) for width in widths]
    return carry, tuple(ops.reshape(s, shape) for s, shape in zip(stacks, shapes))


def differentiable_loop(step, carry, sequences, widths, reverse=False):
    """Run as `loop`, all steps, by operations that can be differentiated any number of times."""
    read = _read(sequences)
    if keras.backend.backend() != "tensorflow":
        return _by_scan(step, carry, read, reverse)
    import tensorflow as tf

    timesteps = ops.shape(read[0].sequence)[1]
    # Not sliced, since under XLA the gradient of a slice has no gradient.
    arrays = [
        tf.TensorArray(s.dtype, timesteps).unstack(tf.transpose(s, (1, 0, 2)))
        for s in map(_columns, read)
    ]

    def elements(t):
        return [array.read(t) for array in arrays]

    return _by_tensorflow(step, carry, elements, timesteps, widths, reverse)


def _read(sequences):
    """Return the sequences as pieces, without those that are None."""
    sequences = [s for s in sequences if s is not None]
    return [s if isinstance(s, Columns) else Columns(s, 0, s.shape[-1]) for s in sequences]


def _columns(piece):
    """Return the columns of a piece; a width that is not known is the whole."""
    sequence, start, width = piece
    return sequence if width is None else sequence[:, :, start : start + width]


def _at(t, read):
    """Return one element of each piece."""
    batch = ops.shape(read[0].sequence)[0]
    elements = [ops.slice(s, (0, t, start), (batch, 1, width)) for s, start, width in read]
    return [e[:, 0] for e in elements]


def _by_tensorflow(step, carry, element, timesteps, widths, reverse):
    """As `loop`, by TensorFlow's own operations.

    Outside of XLA's programs, an update of a slice is an operation of XLA's, which it compiles for
    every shape it meets: tens of milliseconds for a batch of a new length. It has no gradient.
    """
    import tensorflow as tf

    arrays = tuple(
        tf.TensorArray(carry[0].dtype, timesteps, element_shape=(carry[0].shape[0], width))
        for width in widths
    )

    def body(count, carry, arrays):
        t = timesteps - 1 - count if reverse else count
        carry, out = step(carry, element(t))
        pairs = zip(arrays, out, strict=True)
        return count + 1, carry, tuple(array.write(t, element) for array, element in pairs)

    _, carry, arrays = tf.while_loop(
        lambda count, *_: count < timesteps, body, (0, carry, arrays), maximum_iterations=timesteps
    )
    return carry, tuple(tf.transpose(array.stack(), (1, 0, 2)) for array in arrays)


def _by_scan(step, carry, read, reverse):
    """As `loop`, by Keras's scan, which on TensorFlow stacks only what has the carry's shape."""
    sequences = [ops.moveaxis(_columns(piece), 1, 0) for piece in read]
    carry, stacks = ops.scan(step, carry, sequences, reverse=reverse)
    return carry, tuple(ops.moveaxis(stack, 0, 1) for stack in stacks)


def split_fused_gates(squashed):
    """Two gates that were squashed as one, to be kept for the gradient, or one by one.

    Kept as one they cost one write. If nothing is kept, XLA computes them where they are read,
    and vectorizes that only if each is read on its own.
    """
    return ops.split(squashed[0], 2, axis=-1) if len(squashed) == 1 else squashed


def shift(first, sequence, reverse=False, span=None):
    """What every time step finds of a state: the first, then the states after the steps before.

    Args:
        first: The initial state, `(batch, n)`.
        sequence: The states after each step, `(batch, timesteps, n)`.
        reverse, span: As in `loop`.
    """
    first = first[:, None]
    parts = (sequence[:, 1:], first) if reverse else (first, sequence[:, :-1])
    before = ops.concatenate(parts, axis=1)
    if span is None:
        return before
    start = span[0]
    return ops.slice_update(before, (0, span[1] - 1 - start if reverse else start, 0), first)


def sigmoid(z):
    """The logistic function; XLA computes tanh faster than exp and a division."""
    return tanh(0.5 * z) * 0.5 + 0.5

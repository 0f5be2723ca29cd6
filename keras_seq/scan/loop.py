"""Loops over time steps: a fast one, and one that is differentiable to any order."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

from keras_seq._internal.export_target import dispatch_by_target
from keras_seq._internal.float64 import tanh
from keras_seq._internal.types import Tensor
from keras_seq.scan import compiled
from keras_seq.scan.jax_options import get_jax_options

Carry: TypeAlias = tuple[Tensor, ...]
"""Tensors that a loop passes from step to step, each `(batch, ...)`."""
StepFunction: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]
"""Function from the carry and the elements of a step to the new carry and elements to stack."""
StepRange: TypeAlias = tuple[Tensor, Tensor]
"""Pair `(first, stop)` of step numbers in scan order."""

_differentiable = contextvars.ContextVar("differentiable", default=False)


@contextlib.contextmanager
def differentiable_loops() -> Iterator[None]:
    """Make `loop` run as `differentiable_loop` within a `with` block."""
    token = _differentiable.set(True)
    try:
        yield
    finally:
        _differentiable.reset(token)


class Columns(NamedTuple):
    """Range of columns of a sequence, which a step reads separately.

    XLA vectorizes a computation on column ranges. If a step read all columns and split them, XLA
    would compute one element after the other, several times slower.
    """

    sequence: Tensor
    start: int
    width: int


def split_columns(sequence: Tensor, *widths: int) -> list[Columns]:
    """Return the columns of a sequence as ranges of the given widths."""
    return [Columns(sequence, sum(widths[:i]), width) for i, width in enumerate(widths)]


@dispatch_by_target
def loop(
    step: StepFunction,
    carry: Carry,
    sequences: Sequence[Any],
    widths: Sequence[int],
    reverse: bool = False,
    step_range: StepRange | None = None,
) -> tuple[Carry, tuple[Tensor, ...]]:
    """Run `carry, elements_out = step(carry, elements)` over the second axis.

    The batch stays the first axis, so that nothing is transposed. On TensorFlow, the loop that XLA
    compiles has no gradient; `differentiable_loop`, which runs within `differentiable_loops`, does.

    Args:
        step: Function of the carry and a tuple of one element of each sequence. Returns the new
            carry and a tuple of elements to stack.
        carry: Initial carry.
        sequences: Tensors `(batch, timesteps, n)` or `Columns` of one. None is left out.
        widths: Number of columns of each stack.
        reverse: Whether to start at the last time step. Stacks keep the order of time.
        step_range: Steps to run, in scan order, where XLA compiles the loop. The stacks are zero
            at all others. Default: all steps.

    Returns:
        The last carry, and a tuple of stacks `(batch, timesteps, n)`.
    """
    if _differentiable.get():
        return differentiable_loop(step, carry, sequences, widths, reverse)
    columns = _as_columns(sequences)
    if keras.backend.backend() == "torch":
        return _keras_scan(step, carry, columns, reverse)
    batch, timesteps, _ = ops.shape(columns[0].sequence)
    if keras.backend.backend() == "tensorflow" and compiled.xla_disabled_reason() is not None:

        def elements(t: Tensor) -> list[Tensor]:
            return _elements_at(t, columns)

        return _while_loop(step, carry, elements, timesteps, widths, reverse)

    def body(count: Tensor, state: Any) -> Any:
        carry, stacks = state
        t = timesteps - 1 - count if reverse else count
        carry, out = step(carry, _elements_at(t, columns))
        pairs = zip(stacks, out, strict=True)
        return carry, tuple(ops.slice_update(stack, (0, t, 0), e[:, None]) for stack, e in pairs)

    stacks = tuple(ops.zeros((batch, timesteps, width), carry[0].dtype) for width in widths)
    first, stop = step_range or (0, timesteps)
    carry, stacks = _fori_loop(first, stop, body, (carry, stacks))
    # TensorFlow loses even the rank of an updated tensor if the length is unknown.
    shapes = [(batch, timesteps, width) for width in widths]
    return carry, tuple(ops.reshape(s, shape) for s, shape in zip(stacks, shapes))


def _fori_loop(first: Tensor, stop: Tensor, body: StepFunction, state: Any) -> Any:
    """Run `state = body(step, state)` for the steps of a range."""
    if keras.backend.backend() != "jax":
        return ops.fori_loop(first, stop, body, state)
    import jax

    return jax.lax.fori_loop(first, stop, body, state, unroll=get_jax_options().unroll)


def differentiable_loop(
    step: StepFunction,
    carry: Carry,
    sequences: Sequence[Any],
    widths: Sequence[int],
    reverse: bool = False,
) -> tuple[Carry, tuple[Tensor, ...]]:
    """Run all steps as `loop` does, with operations that are differentiable to any order.

    The arguments and the results are those of `loop`.
    """
    columns = _as_columns(sequences)
    if keras.backend.backend() != "tensorflow":
        return _keras_scan(step, carry, columns, reverse)
    import tensorflow as tf

    timesteps = ops.shape(columns[0].sequence)[1]
    # Arrays, not slices: under XLA, the gradient of a slice has no gradient.
    arrays = [
        tf.TensorArray(s.dtype, timesteps).unstack(tf.transpose(s, (1, 0, 2)))
        for s in map(_select, columns)
    ]

    def elements(t: Tensor) -> list[Tensor]:
        return [array.read(t) for array in arrays]

    return _while_loop(step, carry, elements, timesteps, widths, reverse)


def _as_columns(sequences: Sequence[Any]) -> list[Columns]:
    """Return all sequences that are not None as `Columns`."""
    sequences = [s for s in sequences if s is not None]
    return [s if isinstance(s, Columns) else Columns(s, 0, s.shape[-1]) for s in sequences]


def _select(columns: Columns) -> Tensor:
    """Return a tensor of the columns; of all columns if the width is unknown."""
    sequence, start, width = columns
    return sequence if width is None else sequence[:, :, start : start + width]


def _elements_at(t: Tensor, columns: Sequence[Columns]) -> list[Tensor]:
    """Return the elements of time step t, each `(batch, width)`."""
    batch = ops.shape(columns[0].sequence)[0]
    elements = [ops.slice(s, (0, t, start), (batch, 1, width)) for s, start, width in columns]
    return [e[:, 0] for e in elements]


def _while_loop(
    step: StepFunction,
    carry: Carry,
    elements: Callable[[Tensor], list[Tensor]],
    timesteps: Tensor,
    widths: Sequence[int],
    reverse: bool,
) -> tuple[Carry, tuple[Tensor, ...]]:
    """Run a loop with TensorFlow's own operations.

    Outside of XLA programs, `ops.slice_update` has no gradient. XLA also compiles it separately for
    every shape, which takes tens of milliseconds per new length.
    """
    import tensorflow as tf

    arrays = tuple(
        tf.TensorArray(carry[0].dtype, timesteps, element_shape=(carry[0].shape[0], width))
        for width in widths
    )

    def body(count: Tensor, carry: Carry, arrays: Any) -> Any:
        t = timesteps - 1 - count if reverse else count
        carry, out = step(carry, elements(t))
        pairs = zip(arrays, out, strict=True)
        return count + 1, carry, tuple(array.write(t, element) for array, element in pairs)

    _, carry, arrays = tf.while_loop(
        lambda count, *_: count < timesteps, body, (0, carry, arrays), maximum_iterations=timesteps
    )
    return carry, tuple(tf.transpose(array.stack(), (1, 0, 2)) for array in arrays)


def _keras_scan(
    step: StepFunction, carry: Carry, columns: Sequence[Columns], reverse: bool
) -> tuple[Carry, tuple[Tensor, ...]]:
    """Run a loop with Keras's scan, which on TensorFlow stacks only what has the carry's shape."""
    sequences = [ops.moveaxis(_select(c), 1, 0) for c in columns]
    carry, stacks = ops.scan(step, carry, sequences, reverse=reverse)
    return carry, tuple(ops.moveaxis(stack, 0, 1) for stack in stacks)


def split_fused_gates(gates: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return two gates, which may be fused in one tensor.

    If gates are kept for the gradient, a fused pair costs one write. Otherwise XLA computes a gate
    where it is read, and vectorizes that only for separate tensors.

    Args:
        gates: Two tensors `(batch, units)`, or one `(batch, 2 * units)`.
    """
    return ops.split(gates[0], 2, axis=-1) if len(gates) == 1 else gates


def shift(
    initial: Tensor,
    sequence: Tensor,
    reverse: bool = False,
    step_range: StepRange | None = None,
) -> Tensor:
    """Return the state before every time step: the initial state, then those of earlier steps.

    Args:
        initial: Initial state `(batch, n)`.
        sequence: States after each step, `(batch, timesteps, n)`.
        reverse: As in `loop`.
        step_range: As in `loop`.
    """
    initial = initial[:, None]
    parts = (sequence[:, 1:], initial) if reverse else (initial, sequence[:, :-1])
    shifted = ops.concatenate(parts, axis=1)
    if step_range is None:
        return shifted
    first, stop = step_range
    return ops.slice_update(shifted, (0, stop - 1 - first if reverse else first, 0), initial)


def sigmoid(z: Tensor) -> Tensor:
    """Return the logistic function from tanh, which XLA computes faster than exp and a division."""
    return tanh(0.5 * z) * 0.5 + 0.5

"""Loop over time steps in SavedModels, with several steps per iteration.

TensorFlow takes about a microsecond per operation, and several more per iteration of a loop. An
iteration therefore runs `BLOCK_LENGTH` steps, and reads and writes their elements together.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from keras_seq._internal.portable import with_shape_of
from keras_seq._internal.types import Tensor

BLOCK_LENGTH = 4
"""Number of time steps per iteration. Sequences are padded to a multiple of it, since a second loop
for the remaining steps would take longer."""

Carry: TypeAlias = tuple[Tensor, ...]
StepFunction: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]


def unrolled_loop(
    step: StepFunction,
    carry: Carry,
    sequences: Sequence[Tensor],
    stacks: Sequence[tuple[tuple[int, ...], Any]],
) -> tuple[Tensor, ...]:
    """Run `carry, elements_out = step(carry, elements)` over the first axis, on TensorFlow.

    Args:
        step: Function of the carry and a tuple of one element of each sequence. Returns the new
            carry and a tuple of elements to stack.
        carry: Initial carry.
        sequences: Tensors `(timesteps, batch, ...)`.
        stacks: For each stack, the shape of an element without the batch axis, and its dtype.

    Returns:
        A tuple of stacks `(timesteps, batch, ...)`.
    """
    import tensorflow as tf

    length = min(sequences[0].shape[0] or BLOCK_LENGTH, BLOCK_LENGTH)
    timesteps, batch = tf.unstack(tf.shape(sequences[0])[:2])
    num_blocks = -(-timesteps // length)

    def to_blocks(sequence: Tensor) -> Tensor:
        ends = [[0, length * num_blocks - timesteps], *[[0, 0]] * (len(sequence.shape) - 1)]
        shape = (num_blocks, length, batch, *sequence.shape[2:])
        return tf.reshape(tf.pad(sequence, ends), shape)

    outs = [((length, batch, *shape), dtype) for shape, dtype in stacks]
    results = _loop_over_blocks(step, carry, list(map(to_blocks, sequences)), outs)
    return tuple(
        tf.reshape(result, (length * num_blocks, batch, *shape))[:timesteps]
        for result, (shape, _) in zip(results, stacks, strict=True)
    )


def _loop_over_blocks(
    step: StepFunction, carry: Carry, blocks: Sequence[Tensor], outs: Sequence[tuple[Any, Any]]
) -> list[Tensor]:
    """Run a loop over blocks `(blocks, steps, batch, ...)`, and return the stacks of blocks.

    Args:
        step: As in `unrolled_loop`.
        carry: As in `unrolled_loop`.
        blocks: Blocks of each sequence.
        outs: Shape `(steps, batch, ...)` and data type of a block of each stack.
    """
    import tensorflow as tf

    # Not `tf.TensorArray`, which cannot stack zero blocks of unknown batch size.
    num_blocks = tf.shape(blocks[0])[0]
    shapes = [tf.shape(block)[1:] for block in blocks]
    inputs = [
        tf.raw_ops.TensorListFromTensor(tensor=block, element_shape=shape)
        for block, shape in zip(blocks, shapes)
    ]
    lists = [
        tf.raw_ops.TensorListReserve(
            element_shape=shape, num_elements=num_blocks, element_dtype=dtype
        )
        for shape, dtype in outs
    ]

    def read(index: Tensor) -> Any:
        """Return the elements of each step of a block."""
        columns = []
        for list_, block, shape in zip(inputs, blocks, shapes):
            item = tf.raw_ops.TensorListGetItem(
                input_handle=list_, index=index, element_shape=shape, element_dtype=block.dtype
            )
            item.set_shape(block.shape[1:])
            columns.append(tf.unstack(item))
        return zip(*columns, strict=True)

    def body(index: Tensor, carry: Any, lists: Any) -> Any:
        results, start = [], carry
        for elements in read(index):
            carry, elements_out = step(carry, elements)
            results.append(elements_out)
        carry = tf.nest.map_structure(with_shape_of, carry, start)
        lists = [
            tf.raw_ops.TensorListSetItem(input_handle=list_, index=index, item=tf.stack(items))
            for list_, items in zip(lists, zip(*results, strict=True))
        ]
        return index + 1, carry, lists

    _, _, lists = tf.while_loop(lambda index, *_: index < num_blocks, body, (0, carry, lists))
    return [
        tf.raw_ops.TensorListStack(input_handle=list_, element_shape=shape, element_dtype=dtype)
        for list_, (shape, dtype) in zip(lists, outs, strict=True)
    ]

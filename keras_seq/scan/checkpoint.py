"""Gradient checkpointing: long sequences in little memory.

A scan keeps only the states between chunks of the sequence. The backward pass recomputes each chunk
(Griewank 1992; Chen et al. 2016, "Training deep nets with sublinear memory cost"). Length and
number of the chunks grow with the square root of the number of time steps. So does the memory, in
addition to that of inputs, outputs and their gradients. A sequence of
unknown length has `NUM_CHUNKS_OF_UNKNOWN_LENGTH` chunks. The forward pass runs twice.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_seq._internal.tensorflow_compat import in_forward_mode
from keras_seq._internal.types import States, Tensor
from keras_seq.scan.padding import crop, pad_with_mask

NUM_CHUNKS_OF_UNKNOWN_LENGTH = 16


def checkpointed_scan(
    run: Callable[[Tensor, States, Tensor | None], tuple[Tensor, Tensor, States]],
    weights: Sequence[Any],
    sequences: Tensor,
    states: States,
    mask: Tensor | None,
    go_backwards: bool,
    return_sequences: bool,
    zero_output_for_mask: bool,
) -> tuple[Tensor, Tensor, States]:
    """Run a scan in chunks, each of which is recomputed for its gradient.

    Args:
        run: Function of sequences, states and a mask or None; returns what
            `keras_seq.scan.scan` returns.
        weights: Variables that `run` reads.
        sequences: `(batch, timesteps, features)`.
        states: Initial states, each `(batch, units)`.
        mask: None or bools `(batch, timesteps)`.
        go_backwards: Whether `run` starts at the last time step.
        return_sequences: Whether all outputs are needed.
        zero_output_for_mask: Whether the outputs of masked steps are zeros.

    Returns:
        Last output, outputs and final states, as `keras_seq.scan.scan`.
    """
    timesteps = ops.shape(sequences)[1]
    ends: int | list[int]
    if sequences.shape[1] is None:
        ends = NUM_CHUNKS_OF_UNKNOWN_LENGTH
        sequences, mask = pad_with_mask(sequences, mask, -timesteps % ends, go_backwards)
    else:
        length = 2 * (math.isqrt(timesteps - 1) + 1)
        ends = list(range(length, timesteps, length))
        if not ends:  # one chunk: checkpointing would save nothing
            return run(sequences, states, mask)

    def run_chunk(x: Tensor, mask: Tensor | None, *states: Tensor) -> tuple[Tensor, ...]:
        # TensorFlow recomputes only functions of floats, so the mask is passed as floats.
        mask = None if mask is None else ops.cast(mask, "bool")
        last, outputs, new_states = run(x, list(states), mask)
        return (last, *new_states, outputs) if return_sequences else (last, *new_states)

    def run_unmasked_chunk(x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        return run_chunk(x, None, *states)

    run_recomputed = _recompute(run_unmasked_chunk if mask is None else run_chunk, weights)
    # One split, since the gradient of a slice is as long as the whole sequence.
    whole = [sequences] if mask is None else [sequences, ops.cast(mask, sequences.dtype)]
    # On torch, `ops.split` fails for a single part.
    parts = [ops.split(tensor, ends, axis=1) if ends else [tensor] for tensor in whole]
    chunks = list(zip(*parts))
    outputs: list[Tensor] = []
    last: Any = None
    for x, *chunk_mask in reversed(chunks) if go_backwards else chunks:
        new, *result = run_recomputed(x, *chunk_mask, *states)
        if return_sequences:
            outputs.append(result.pop())
        if mask is not None and last is not None and not zero_output_for_mask:
            # Until its first unmasked step, a chunk repeats the last output of the previous chunk.
            has_started = _has_started(chunk_mask[0], go_backwards)
            new = ops.where(has_started[:, -1], new, last)
            if return_sequences:
                outputs[-1] = ops.where(has_started, outputs[-1], last[:, None])
        last, states = new, result
    if not return_sequences:
        return last, last[:, None], states
    return last, crop(ops.concatenate(outputs, axis=1), timesteps), states


def _recompute(
    function: Callable[..., tuple[Tensor, ...]], weights: Sequence[Any]
) -> Callable[..., tuple[Tensor, ...]]:
    """Return a function that keeps only its arguments and runs again for its gradient."""
    if keras.backend.backend() != "tensorflow":
        return keras.remat(function)
    import tensorflow as tf

    def after(others: Sequence[Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
        with tf.control_dependencies(others):
            return [tf.identity(tensor) for tensor in tensors]

    # `keras.remat`, here `tf.recompute_grad`, saves no memory: TensorFlow runs operations as soon
    # as it can, so all chunks at once unless each waits for the previous one.
    @tf.custom_gradient
    def recompute(*arguments: Tensor) -> Any:
        def gradient(*upstream: Tensor, variables: Sequence[Any] = ()) -> Any:
            with tf.GradientTape() as tape:
                copies = after(upstream, arguments)
                tape.watch(copies)
                results = function(*copies)
            gradients = tape.gradient(
                results, [copies, list(variables)], upstream, unconnected_gradients="zero"
            )
            gradients[0] = after(tf.nest.flatten(gradients), gradients[0])
            return gradients if variables else gradients[0]

        return function(*after(arguments, arguments)), gradient

    def run(*arguments: Tensor) -> tuple[Tensor, ...]:
        # Forward mode keeps nothing anyway.
        is_forward = in_forward_mode([*arguments, *weights])
        return function(*arguments) if is_forward else recompute(*arguments)

    return run


def _has_started(mask: Tensor, go_backwards: bool) -> Tensor:
    """Return whether an unmasked step has occurred, `(batch, timesteps, 1)` in scan order."""
    mask = ops.flip(mask, 1) if go_backwards else mask
    return ops.expand_dims(ops.cumsum(mask, axis=1) > 0, -1)

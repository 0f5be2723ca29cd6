"""Long sequences in little memory: only the states between chunks are kept for the gradient.

What a chunk keeps is computed again when its gradient is due (Griewank, 1992; Chen et al., 2016,
"Training deep nets with sublinear memory cost"). With chunks as long as their number, the memory
beyond inputs, outputs and their gradients grows as the square root of the number of time steps;
the forward pass is run twice.
"""

import math

import keras
from keras import ops

from keras_seq.scan.padding import padded, unpadded

CHUNKS_OF_UNKNOWN_LENGTH = 16


def in_chunks(run, sequences, states, mask, go_backwards, return_sequences, zero_output_for_mask):
    """Runs over chunks of the sequences, one after the other, each recomputed for its gradient.

    Args:
        run: Takes sequences, a list of states and a mask or None; returns what `scan` returns.
        sequences, states, mask: As for `scan`.
        go_backwards: Whether `run` starts at the last time step.
        return_sequences: Whether all outputs are wanted.
        zero_output_for_mask: Whether masked time steps put out zeros.

    Returns:
        As `keras_seq.scan.scan`.
    """
    timesteps = ops.shape(sequences)[1]
    if sequences.shape[1] is None:
        count = CHUNKS_OF_UNKNOWN_LENGTH
        length = -(-timesteps // count)
        sequences, mask = padded(sequences, mask, count * length - timesteps, go_backwards)
    else:
        length = math.isqrt(timesteps - 1) + 1
        count = -(-timesteps // length)

    def chunk(x, seen, *states):
        # TensorFlow recomputes only functions of numbers, so the mask comes as such.
        seen = None if seen is None else ops.cast(seen, "bool")
        last, outputs, states = run(x, list(states), seen)
        return (last, outputs, *states) if return_sequences else (last, *states)

    if mask is None:
        remembered = keras.remat(lambda x, *states: chunk(x, None, *states))
    else:
        remembered = keras.remat(chunk)
    outputs, last = [], None
    order = range(count)
    for k in reversed(order) if go_backwards else order:
        columns = slice(k * length, (k + 1) * length)
        seen = () if mask is None else (ops.cast(mask[:, columns], sequences.dtype),)
        new, *result = remembered(sequences[:, columns], *seen, *states)
        if return_sequences:
            outputs.append(result.pop(0))
        if mask is not None and last is not None and not zero_output_for_mask:
            # Before its first step that counts, a chunk repeats the end of the chunk before it.
            started = _started(seen[0], go_backwards)
            new = ops.where(started[:, -1], new, last)
            if return_sequences:
                outputs[-1] = ops.where(started, outputs[-1], last[:, None])
        last, states = new, result
    if not return_sequences:
        return last, last[:, None], states
    return last, unpadded(ops.concatenate(outputs, axis=1), timesteps), states


def _started(mask, go_backwards):
    """Whether a step that counts has come yet, (batch, timesteps, 1) in the order computed."""
    mask = ops.flip(mask, 1) if go_backwards else mask
    return ops.expand_dims(ops.cumsum(mask, axis=1) > 0, -1)

"""Long sequences in little memory: only the states between chunks are kept for the gradient.

What a chunk keeps is computed again when its gradient is due (Griewank, 1992; Chen et al., 2016,
"Training deep nets with sublinear memory cost"). Length and number of the chunks grow as the
square root of the number of time steps, and so does the memory beyond inputs, outputs and their
gradients; the forward pass is run twice.
"""

import math

import keras
from keras import ops

from keras_seq._internal.tensorflow_compat import in_forward_mode
from keras_seq.scan.padding import crop, pad_with_mask

CHUNKS_OF_UNKNOWN_LENGTH = 16


def checkpointed_scan(
    run,
    weights,
    sequences,
    states,
    mask,
    go_backwards,
    return_sequences,
    zero_output_for_mask,
):
    """Runs over chunks of the sequences, one after the other, each recomputed for its gradient.

    Args:
        run: Takes sequences, a list of states and a mask or None; returns what `scan` returns.
        weights: Variables that `run` reads.
        sequences, states, mask: As for `scan`.
        go_backwards: Whether `run` starts at the last time step.
        return_sequences: Whether all outputs are wanted.
        zero_output_for_mask: Whether masked time steps put out zeros.

    Returns:
        As `keras_seq.scan.scan`.
    """
    timesteps = ops.shape(sequences)[1]
    if sequences.shape[1] is None:
        ends = CHUNKS_OF_UNKNOWN_LENGTH
        sequences, mask = pad_with_mask(sequences, mask, -timesteps % ends, go_backwards)
    else:
        length = 2 * (math.isqrt(timesteps - 1) + 1)
        ends = list(range(length, timesteps, length))
        if not ends:  # one chunk: nothing to save
            return run(sequences, states, mask)

    def chunk(x, seen, *states):
        # TensorFlow recomputes only functions of numbers, so the mask comes as such.
        seen = None if seen is None else ops.cast(seen, "bool")
        last, outputs, states = run(x, list(states), seen)
        return (last, *states, outputs) if return_sequences else (last, *states)

    if mask is None:
        remembered = _recomputed(lambda x, *states: chunk(x, None, *states), weights)
    else:
        remembered = _recomputed(chunk, weights)
    # Split, not sliced one by one: the gradient of each slice would be as long as the sequence.
    parts = [sequences] if mask is None else [sequences, ops.cast(mask, sequences.dtype)]
    # Keras does not split in one on torch.
    parts = [ops.split(part, ends, axis=1) if ends else [part] for part in parts]
    chunks = list(zip(*parts))
    outputs, last = [], None
    for x, *seen in reversed(chunks) if go_backwards else chunks:
        new, *result = remembered(x, *seen, *states)
        if return_sequences:
            outputs.append(result.pop())
        if mask is not None and last is not None and not zero_output_for_mask:
            # Before its first step that counts, a chunk repeats the end of the chunk before it.
            started = _started(seen[0], go_backwards)
            new = ops.where(started[:, -1], new, last)
            if return_sequences:
                outputs[-1] = ops.where(started, outputs[-1], last[:, None])
        last, states = new, result
    if not return_sequences:
        return last, last[:, None], states
    return last, crop(ops.concatenate(outputs, axis=1), timesteps), states


def _recomputed(function, weights):
    """`function`, which keeps its arguments alone and is called again for its gradient."""
    if keras.backend.backend() != "tensorflow":
        return keras.remat(function)
    import tensorflow as tf

    def after(others, tensors):
        with tf.control_dependencies(others):
            return [tf.identity(tensor) for tensor in tensors]

    # With `keras.remat`, which is `tf.recompute_grad` here, nothing was saved: TensorFlow runs
    # whatever it can, and all chunks at once if they need not wait for each other.
    @tf.custom_gradient
    def once_more(*arguments):
        def gradient(*upstream, variables=()):
            with tf.GradientTape() as tape:
                again = after(upstream, arguments)
                tape.watch(again)
                results = function(*again)
            found = tape.gradient(
                results, [again, list(variables)], upstream, unconnected_gradients="zero"
            )
            found[0] = after(tf.nest.flatten(found), found[0])
            return found if variables else found[0]

        return function(*after(arguments, arguments)), gradient

    def run(*arguments):
        # In forward mode nothing is kept anyway.
        forward = in_forward_mode([*arguments, *weights])
        return function(*arguments) if forward else once_more(*arguments)

    return run


def _started(mask, go_backwards):
    """Whether a step that counts has come yet, (batch, timesteps, 1) in the order computed."""
    mask = ops.flip(mask, 1) if go_backwards else mask
    return ops.expand_dims(ops.cumsum(mask, axis=1) > 0, -1)

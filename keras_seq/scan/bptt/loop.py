"""The loop over time steps that the hand-derived passes share: no gradient flows through it."""

import keras


def loop(step, carry, sequences, outputs, reverse=False):
    """Runs `carry, elements_out = step(carry, elements)` over the first axis.

    Args:
        step: Takes the carry, a tuple, and a tuple of one element of each sequence; returns the
            new carry and a tuple of elements to stack.
        carry: Tuple of tensors.
        sequences: Tuple of tensors (timesteps, ...), all of one dtype.
        outputs: How many elements a step returns.
        reverse: Whether to begin at the last time step; what is stacked keeps the order of time.

    Returns:
        The last carry, and a tuple of stacked tensors (timesteps, ...).
    """
    if keras.backend.backend() == "jax":
        from jax import lax

        return lax.scan(step, carry, sequences, reverse=reverse)
    return _tensorflow_loop(step, carry, sequences, outputs, reverse)


def _tensorflow_loop(step, carry, sequences, outputs, reverse):
    import tensorflow as tf

    timesteps = sequences[0].shape[0] or tf.shape(sequences[0])[0]
    read = [
        tf.TensorArray(s.dtype, timesteps, element_shape=s.shape[1:]).unstack(s) for s in sequences
    ]
    written = tuple(tf.TensorArray(sequences[0].dtype, timesteps) for _ in range(outputs))

    def body(count, carry, written):
        t = timesteps - 1 - count if reverse else count
        carry, elements = step(carry, tuple(array.read(t) for array in read))
        written = [array.write(t, e) for array, e in zip(written, elements, strict=True)]
        return count + 1, carry, tuple(written)

    _, carry, written = tf.while_loop(
        lambda count, *_: count < timesteps,
        body,
        (tf.constant(0), carry, written),
        parallel_iterations=1,
    )
    return carry, tuple(array.stack() for array in written)

"""Products over whole sequences, and how gates are squashed with a single tanh."""

import numpy as np
from keras import ops


def flat(sequence):
    """(timesteps, batch, n) as (timesteps * batch, n)."""
    return ops.reshape(sequence, (-1, sequence.shape[-1]))


def project(x, kernel, bias):
    """X W + b for all time steps: one product."""
    timesteps, batch, _ = ops.shape(x)
    return ops.reshape(ops.matmul(flat(x), kernel) + bias, (timesteps, batch, kernel.shape[1]))


def unproject(d_projected, kernel):
    """The gradient of `project` for x: one product."""
    timesteps, batch, _ = ops.shape(d_projected)
    d_x = ops.matmul(flat(d_projected), ops.transpose(kernel))
    return ops.reshape(d_x, (timesteps, batch, kernel.shape[0]))


def weight_gradient(read, d_product):
    """The gradient of a weight matrix: all that it read times all that came of it, one product."""
    return ops.matmul(ops.transpose(flat(read)), flat(d_product))


def shifted(first, sequence):
    """What every time step finds of a state: the first, then the sequence without its end."""
    return ops.concatenate([first[None], sequence[:-1]], axis=0)


def squash(units, gates, dtype):
    """Scale and offset a column with which tanh(scale * z) * scale + offset squashes all gates.

    sigma(z) = tanh(z / 2) / 2 + 1/2, so that sigmoid and tanh columns need one tanh together.

    Args:
        units: Columns a gate.
        gates: "s" for sigmoid or "t" for tanh, a letter a gate.
        dtype: Of the result.

    Returns:
        Two vectors (len(gates) * units,).
    """
    sigmoid = np.repeat([letter == "s" for letter in gates], units)
    scale, offset = np.where(sigmoid, 0.5, 1.0), np.where(sigmoid, 0.5, 0.0)
    return ops.convert_to_tensor(scale, dtype), ops.convert_to_tensor(offset, dtype)

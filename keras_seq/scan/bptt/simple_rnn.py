"""The plain recurrent cell over a sequence, and its gradient, derived by hand.

Symbols as in `keras_seq.cells.SimpleRNNCell`:

    dz_t = dh_t * (1 - h_t^2)        dh_{t-1} = dz_t U^T

A masked step passes dh on as it is.
"""

from keras import ops

from keras_seq._internal.float64 import tanh
from keras_seq.scan.loop import loop, shift


def forward(weights, projected, states, mask, reverse, tape, span=None):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    recurrent_kernel, bias = weights

    def step(carry, elements):
        (h,) = carry
        h_new = tanh(elements[0] + bias + ops.matmul(h, recurrent_kernel))
        if mask is not None:
            h_new = ops.where(elements[1] > 0, h_new, h)
        return (h_new,), (h_new,)

    (h,), stacks = loop(step, tuple(states), (projected, mask), (bias.shape[0],), reverse, span)
    hs = stacks[0]
    return hs, [h], (hs, shift(states[0], hs, reverse, span))


def backward(weights, mask, reverse, tape, d_outputs, d_states, span=None):
    """As `keras_seq.scan.bptt.lstm.backward`."""
    recurrent_kernel, bias = weights
    hs, _ = tape
    transposed = ops.transpose(recurrent_kernel)

    def step(carry, elements):
        (d_h,) = carry
        h, *rest = elements
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_z = d_h * (1 - h * h)
        if mask is not None:
            d_z = d_z * rest[-1]
        d_h_previous = ops.matmul(d_z, transposed)
        if mask is not None:
            d_h_previous = d_h_previous + d_h * (1 - rest[-1])
        return (d_h_previous,), (d_z,)

    sequences, widths = (hs, d_outputs, mask), (bias.shape[0],)
    (d_h,), (d_z,) = loop(step, tuple(d_states), sequences, widths, not reverse, span)
    d_bias = ops.sum(d_z, axis=(0, 1))
    return d_z, None, [d_bias], [d_h]

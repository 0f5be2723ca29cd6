"""GRU (`reset_after`) over a sequence, and its gradient, derived by hand.

Symbols as in `keras_seq.cells.GRUCell`, with u_t = U_h h_{t-1} + b'_h:

    dz_t = dh_t * (h_{t-1} - g_t) * z_t (1 - z_t)
    dg_t = dh_t * (1 - z_t) * (1 - g_t^2)
    dr_t = dg_t * u_t * r_t (1 - r_t)
    dh_{t-1} = dh_t * z_t + [dz_t, dr_t, dg_t * r_t] U^T

A masked step passes dh on as it is.
"""

from keras import ops

from keras_seq._internal.float64 import tanh
from keras_seq.scan.loop import loop, shift, sigmoid, split_columns, split_fused_gates


def forward(weights, projected, states, mask, reverse, tape, span=None):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    gates = 2 * units
    b_g, b_u = bias[0, gates:], bias[1, gates:]
    widths = [gates] if tape else [units, units]
    b_zr = ops.split(bias[0, :gates] + bias[1, :gates], len(widths))

    def step(carry, elements):
        (h,) = carry
        *x_zr, x_g = elements[: len(widths) + 1]
        u_zr, u = ops.split(ops.matmul(h, recurrent_kernel), [gates], axis=-1)
        u_zr = ops.split(u_zr, len(widths), axis=-1)
        zr = [sigmoid(x + u + b) for x, u, b in zip(x_zr, u_zr, b_zr)]
        z, r = split_fused_gates(zr)
        u = u + b_u
        g = tanh(x_g + b_g + r * u)
        for_backward = (*zr, g, u) if tape else ()
        h_new = g + z * (h - g)
        if mask is not None:
            h_new = ops.where(elements[-1] > 0, h_new, h)
        return (h_new,), (h_new, *for_backward)

    sequences = [*split_columns(projected, *widths, units), mask]
    kept = (gates, units, units) if tape else ()
    (h,), (hs, *stacks) = loop(step, tuple(states), sequences, (units, *kept), reverse, span)
    return hs, [h], (*stacks, shift(states[0], hs, reverse, span))


def backward(weights, mask, reverse, tape, d_outputs, d_states, span=None):
    """As `keras_seq.scan.bptt.lstm.backward`."""
    recurrent_kernel, _ = weights
    units = recurrent_kernel.shape[0]
    transposed = ops.transpose(recurrent_kernel)

    def step(carry, elements):
        (d_h,) = carry
        z, r, g, u, h_previous, *rest = elements
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_g = d_h * (1 - z) * (1 - g * g)
        d_r = d_g * u * r * (1 - r)
        d_z = d_h * (h_previous - g) * z * (1 - z)
        if mask is not None:
            d_z, d_r, d_g = (d * rest[-1] for d in (d_z, d_r, d_g))
            z = ops.where(rest[-1] > 0, z, 1)
        d_projected = ops.concatenate([d_z, d_r, d_g], axis=-1)
        d_u = ops.concatenate([d_z, d_r, d_g * r], axis=-1)
        return (d_h * z + ops.matmul(d_u, transposed),), (d_projected, d_u)

    zr, *others = tape
    sequences = [*split_columns(zr, units, units), *others, d_outputs, mask]
    carry, widths = tuple(d_states), (3 * units, 3 * units)
    (d_h,), (d_projected, d_u) = loop(step, carry, sequences, widths, not reverse, span)
    d_biases = [ops.sum(d, axis=(0, 1)) for d in (d_projected, d_u)]
    return d_projected, d_u, [ops.stack(d_biases)], [d_h]

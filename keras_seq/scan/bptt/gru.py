"""GRU (`reset_after`) over a sequence, and its gradient, derived by hand.

Symbols as in `keras_seq.cells.GRUCell`, with u_t = U_h h_{t-1} + b'_h:

    dz_t = dh_t * (h_{t-1} - g_t) * z_t (1 - z_t)
    dg_t = dh_t * (1 - z_t) * (1 - g_t^2)
    dr_t = dg_t * u_t * r_t (1 - r_t)
    dh_{t-1} = dh_t * z_t + [dz_t, dr_t, dg_t * r_t] U^T

A masked step passes dh on as it is.
"""

from keras import ops

from keras_seq.scan.bptt.loop import loop, pieces, previous


def forward(weights, projected, states, mask, reverse, tape):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    (b_z, b_r, b_g), (b_u_z, b_u_r, b_u_g) = (ops.split(b, 3) for b in (bias[0], bias[1]))
    b_z, b_r = b_z + b_u_z, b_r + b_u_r

    def step(carry, elements):
        (h,) = carry
        x_z, x_r, x_g, *seen = elements
        u_z, u_r, u_g = ops.split(ops.matmul(h, recurrent_kernel), 3, axis=-1)
        z = ops.sigmoid(x_z + u_z + b_z)
        r = ops.sigmoid(x_r + u_r + b_r)
        u = u_g + b_u_g
        g = ops.tanh(x_g + b_g + r * u)
        for_backward = (z, r, g, u) if tape else ()
        h_new = g + z * (h - g)
        if seen:
            h_new = ops.where(seen[0] > 0, h_new, h)
        return (h_new,), (h_new, *for_backward)

    sequences = [*pieces(projected, 3), *([] if mask is None else [mask])]
    (h,), stacks = loop(step, tuple(states), sequences, [units] * (5 if tape else 1), reverse)
    return stacks[0], [h], (*stacks[1:], previous(states[0], stacks[0], reverse))


def backward(weights, mask, reverse, tape, d_outputs, d_states):
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

    sequences = [*tape, *(s for s in (d_outputs, mask) if s is not None)]
    carry, widths = tuple(d_states), (3 * units, 3 * units)
    (d_h,), (d_projected, d_u) = loop(step, carry, sequences, widths, not reverse)
    d_biases = [ops.sum(ops.cast(d, d_h.dtype), axis=(0, 1)) for d in (d_projected, d_u)]
    return d_projected, d_u, [ops.stack(d_biases)], [d_h]

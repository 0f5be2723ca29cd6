"""GRU (`reset_after`) over a sequence, and its gradient, derived by hand.

Symbols as in `keras_seq.cells.GRUCell`, with u_t = U_h h_{t-1} + b'_h:

    dz_t = dh_t * (h_{t-1} - g_t) * z_t (1 - z_t)
    dg_t = dh_t * (1 - z_t) * (1 - g_t^2)
    dr_t = dg_t * u_t * r_t (1 - r_t)
    dh_{t-1} = dh_t * z_t + [dz_t, dr_t, dg_t * r_t] U^T

A masked step passes dh on as it is.
"""

from keras import ops

from keras_seq.scan.bptt.loop import loop, pieces, previous, sigmoid


def forward(weights, projected, states, mask, reverse, tape):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    gates = 2 * units
    b_zr, b_g, b_u = bias[0, :gates] + bias[1, :gates], bias[0, gates:], bias[1, gates:]

    def step(carry, elements):
        h, _ = carry
        x_zr, x_g, *seen = elements
        u_zr, u = ops.split(ops.matmul(h, recurrent_kernel), [gates], axis=-1)
        zr = sigmoid(x_zr + u_zr + b_zr)
        z, r = ops.split(zr, 2, axis=-1)
        u = u + b_u
        g = ops.tanh(x_g + b_g + r * u)
        for_backward = (zr, g, u) if tape else ()
        h_new = g + z * (h - g)
        if seen:
            h_new = ops.where(seen[0] > 0, h_new, h)
        # The gates ride in the carry only to make XLA compute them once.
        return (h_new, zr), (h_new, *for_backward)

    sequences = [*pieces(projected, gates, units), *([] if mask is None else [mask])]
    widths = (units, gates, units, units) if tape else (units,)
    (h,) = states
    carry = (h, ops.concatenate([h, h], axis=-1))
    (h, zr), (hs, *stacks) = loop(step, carry, sequences, widths, reverse)
    return hs, [h], (*stacks, previous(states[0], hs, reverse)) if tape else (zr,)


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

    zr, *others = tape
    sequences = [
        *pieces(zr, units, units),
        *others,
        *(s for s in (d_outputs, mask) if s is not None),
    ]
    carry, widths = tuple(d_states), (3 * units, 3 * units)
    (d_h,), (d_projected, d_u) = loop(step, carry, sequences, widths, not reverse)
    d_biases = [ops.sum(d, axis=(0, 1)) for d in (d_projected, d_u)]
    return d_projected, d_u, [ops.stack(d_biases)], [d_h]

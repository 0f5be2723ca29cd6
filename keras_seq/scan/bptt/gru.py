"""GRU (`reset_after`) over a sequence, and its gradient, derived by hand.

Time-major; symbols as in `keras_seq.cells.GRUCell`, with u_t = U_h h_{t-1} + b'_h:

    dz_t = dh_t * (h_{t-1} - g_t) * z_t (1 - z_t)
    dg_t = dh_t * (1 - z_t) * (1 - g_t^2)
    dr_t = dg_t * u_t * r_t (1 - r_t)
    dh_{t-1} = dh_t * z_t + [dz_t, dr_t, dg_t * r_t] U^T

A masked step passes dh on as it is: its factors are 0, its z is 1.
"""

from keras import ops

from keras_seq.scan.bptt import products
from keras_seq.scan.bptt.loop import loop


def forward(weights, x, states, mask, tape):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    kernel, recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    scale, _ = products.squash(units, "sst", x.dtype)
    # b' of the two gates can leave the loop; that of the candidate is multiplied by r.
    outside = ops.concatenate([bias[0, : 2 * units] + bias[1, : 2 * units], bias[0, 2 * units :]])
    inside = bias[1, 2 * units :]
    z = products.project(x, kernel * scale, outside * scale)
    recurrent_kernel = recurrent_kernel * scale

    def step(carry, elements):
        h, _, _, _ = carry
        x_zr, x_g = ops.split(elements[0], [2 * units], axis=-1)
        u_zr, u_g = ops.split(ops.matmul(h, recurrent_kernel), [2 * units], axis=-1)
        u_g = u_g + inside
        zr = ops.tanh(x_zr + u_zr) * 0.5 + 0.5
        z, r = ops.split(zr, 2, axis=-1)
        g = ops.tanh(x_g + r * u_g)
        h_new = g + z * (h - g)
        if mask is not None:
            h_new = ops.where(elements[1] > 0, h_new, h)
        # The gates ride in the carry only to make XLA compute them once.
        return (h_new, zr, g, u_g), ((h_new, zr, g, u_g) if tape else (h_new,))

    (h,) = states
    carry = (h, ops.zeros_like(z[0][:, : 2 * units]), ops.zeros_like(h), ops.zeros_like(h))
    sequences = (z,) if mask is None else (z, mask)
    (h, *_), stacked = loop(step, carry, sequences, outputs=4 if tape else 1)
    return stacked[0], [h], stacked


def backward(weights, x, states, mask, tape, d_outputs, d_states):
    """As `keras_seq.scan.bptt.lstm.backward`."""
    kernel, recurrent_kernel, _ = weights
    units = recurrent_kernel.shape[0]
    hs, zr, g, u_g = tape
    z, r = ops.split(zr, 2, axis=-1)
    h_previous = products.shifted(states[0], hs)
    of_z = (h_previous - g) * z * (1 - z)
    of_g = (1 - z) * (1 - g * g)
    if mask is not None:
        of_z, of_g, z = of_z * mask, of_g * mask, ops.where(mask > 0, z, 1)
    of_r = of_g * u_g * r * (1 - r)
    factors = ops.concatenate([of_z, of_r, of_g * r], axis=-1)
    transposed = ops.transpose(recurrent_kernel)

    def step(carry, elements):
        d_h, _ = carry
        factors, z, *rest = elements
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_u = ops.concatenate([d_h, d_h, d_h], axis=-1) * factors
        return (d_h * z + ops.matmul(d_u, transposed), d_u), (d_u, d_h)

    sequences = (factors, z) if d_outputs is None else (factors, z, d_outputs)
    carry = (*d_states, ops.zeros_like(factors[0]))
    (d_h, _), (d_u, d_hs) = loop(step, carry, sequences, outputs=2, reverse=True)
    d_x_projected = ops.concatenate([d_u[:, :, : 2 * units], d_hs * of_g], axis=-1)
    d_weights = [
        products.weight_gradient(x, d_x_projected),
        products.weight_gradient(h_previous, d_u),
        ops.stack([ops.sum(products.flat(d), axis=0) for d in (d_x_projected, d_u)]),
    ]
    return products.unproject(d_x_projected, kernel), d_weights, [d_h]

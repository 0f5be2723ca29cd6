"""LSTM and diagonal-peephole LSTM over a sequence, and their gradient, derived by hand.

Everything is time-major, (timesteps, batch, n). Symbols as in `keras_seq.cells.LSTMCell`; a name
`d_x` is the gradient of the loss for x. Without a mask, with z the four pre-activations:

    dc_t += dh_t * o_t * (1 - tanh(c_t)^2)   [+ do_t * p_o]
    di_t = dc_t * g_t * i_t (1 - i_t)        df_t = dc_t * c_{t-1} * f_t (1 - f_t)
    dg_t = dc_t * i_t * (1 - g_t^2)          do_t = dh_t * tanh(c_t) * o_t (1 - o_t)
    dh_{t-1} = dz_t U^T                      dc_{t-1} = dc_t * f_t   [+ di_t * p_i + df_t * p_f]

in brackets what the peepholes add. A masked step passes dh and dc on as they are.
"""

from keras import ops

from keras_seq.scan.bptt import products
from keras_seq.scan.bptt.loop import loop


def forward(weights, x, states, mask, tape):
    """Outputs (timesteps, batch, units), the final states, and, if asked, what `backward` needs."""
    kernel, recurrent_kernel, bias, *peepholes = weights
    h, c = states
    units = recurrent_kernel.shape[0]
    scale, offset = products.squash(units, "ssts", x.dtype)
    z = products.project(x, kernel * scale, bias * scale)
    recurrent_kernel = recurrent_kernel * scale
    if peepholes:
        p_i, p_f, p_o = (p * 0.5 for p in peepholes)

    def step(carry, elements):
        h, c, _ = carry
        z = elements[0] + ops.matmul(h, recurrent_kernel)
        if peepholes:
            z_i, z_f, z_g, z_o = ops.split(z, 4, axis=-1)
            i = ops.tanh(z_i + p_i * c) * 0.5 + 0.5
            f = ops.tanh(z_f + p_f * c) * 0.5 + 0.5
            g = ops.tanh(z_g)
            c_new = f * c + i * g
            o = ops.tanh(z_o + p_o * c_new) * 0.5 + 0.5
            gates = ops.concatenate([i, f, g, o], axis=-1)
        else:
            gates = ops.tanh(z) * scale + offset
            i, f, g, o = ops.split(gates, 4, axis=-1)
            c_new = f * c + i * g
        tanh_c = ops.tanh(c_new)
        h_new = o * tanh_c
        if mask is not None:
            seen = elements[1] > 0
            h_new, c_new = ops.where(seen, h_new, h), ops.where(seen, c_new, c)
        # The gates ride in the carry only to make XLA compute them once.
        return (h_new, c_new, gates), ((h_new, gates, c, tanh_c) if tape else (h_new,))

    gates = ops.zeros_like(z[0])
    sequences = (z,) if mask is None else (z, mask)
    (h, c, _), stacked = loop(step, (h, c, gates), sequences, outputs=4 if tape else 1)
    return stacked[0], [h, c], (*stacked, c)


def backward(weights, x, states, mask, tape, d_outputs, d_states):
    """The gradients for x, for the weights and for the initial states.

    Args:
        d_outputs: (timesteps, batch, units), or None if only the final states were used.
        d_states: Of the final states.
    """
    kernel, recurrent_kernel, _, *peepholes = weights
    h_first, _ = states
    hs, gates, c_previous, tanh_c, c_last = tape
    if peepholes:
        p_i, p_f, p_o = peepholes
    transposed = ops.transpose(recurrent_kernel)

    def step(carry, elements):
        d_h, d_c, _ = carry
        gates, c_previous, tanh_c, *rest = elements
        i, f, g, o = ops.split(gates, 4, axis=-1)
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_o = d_h * tanh_c * o * (1 - o)
        d_c_now = d_c + d_h * o * (1 - tanh_c * tanh_c)
        if peepholes:
            d_c_now = d_c_now + d_o * p_o
        d_i = d_c_now * g * i * (1 - i)
        d_f = d_c_now * c_previous * f * (1 - f)
        d_g = d_c_now * i * (1 - g * g)
        d_c_previous = d_c_now * f
        if peepholes:
            d_c_previous = d_c_previous + d_i * p_i + d_f * p_f
        d_z = ops.concatenate([d_i, d_f, d_g, d_o], axis=-1)
        if mask is not None:
            d_z = d_z * rest[-1]
            d_c_previous = ops.where(rest[-1] > 0, d_c_previous, d_c)
        d_h_previous = ops.matmul(d_z, transposed)
        if mask is not None:
            d_h_previous = d_h_previous + d_h * (1 - rest[-1])
        return (d_h_previous, d_c_previous, d_z), (d_z,)

    sequences = [gates, c_previous, tanh_c]
    sequences += [s for s in (d_outputs, mask) if s is not None]
    carry = (*d_states, ops.zeros_like(gates[0]))
    (d_h, d_c, _), (d_z,) = loop(step, carry, tuple(sequences), outputs=1, reverse=True)
    d_weights = [
        products.weight_gradient(x, d_z),
        products.weight_gradient(products.shifted(h_first, hs), d_z),
        ops.sum(products.flat(d_z), axis=0),
    ]
    if peepholes:
        d_i, d_f, _, d_o = ops.split(d_z, 4, axis=-1)
        cs = ops.concatenate([c_previous[1:], c_last[None]], axis=0)
        seen = ((d_i, c_previous), (d_f, c_previous), (d_o, cs))
        d_weights += [ops.sum(d * c, axis=(0, 1)) for d, c in seen]
    return products.unproject(d_z, kernel), d_weights, [d_h, d_c]

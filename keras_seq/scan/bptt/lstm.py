"""LSTM and diagonal-peephole LSTM over a sequence, and their gradient, derived by hand.

Everything is time-major, (timesteps, batch, n). Symbols as in `keras_seq.cells.LSTMCell`; a name
`d_x` is the gradient of the loss for x. Without a mask, with z the four pre-activations:

    dc_t += dh_t * o_t * (1 - tanh(c_t)^2)   [+ do_t * p_o]
    di_t = dc_t * g_t * i_t (1 - i_t)        df_t = dc_t * c_{t-1} * f_t (1 - f_t)
    dg_t = dc_t * i_t * (1 - g_t^2)          do_t = dh_t * tanh(c_t) * o_t (1 - o_t)
    dh_{t-1} = dz_t U^T                      dc_{t-1} = dc_t * f_t   [+ di_t * p_i + df_t * p_f]

in brackets what the peepholes add. All factors of dc and dh are known after the forward pass, so
they are computed at once; the loop keeps two sums and one product. A masked step passes dh and dc
on as they are: its factors are 0, its f is 1.
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
        h_new = o * ops.tanh(c_new)
        if mask is not None:
            seen = elements[1] > 0
            h_new, c_new = ops.where(seen, h_new, h), ops.where(seen, c_new, c)
        # The gates ride in the carry only to make XLA compute them once.
        return (h_new, c_new, gates), ((h_new, c_new, gates) if tape else (h_new,))

    gates = ops.zeros_like(z[0])
    sequences = (z,) if mask is None else (z, mask)
    (h, c, _), stacked = loop(step, (h, c, gates), sequences, outputs=3 if tape else 1)
    return stacked[0], [h, c], stacked


def backward(weights, x, states, mask, tape, d_outputs, d_states):
    """The gradients for x, for the weights and for the initial states.

    Args:
        d_outputs: (timesteps, batch, units), or None if only the final states were used.
        d_states: Of the final states.
    """
    kernel, recurrent_kernel, _, *peepholes = weights
    h_first, c_first = states
    hs, cs, gates = tape
    i, f, g, o = ops.split(gates, 4, axis=-1)
    c_previous = products.shifted(c_first, cs)
    tanh_c = ops.tanh(cs)
    of_i = g * i * (1 - i)
    of_f = c_previous * f * (1 - f)
    of_g = i * (1 - g * g)
    of_o = tanh_c * o * (1 - o)
    h_to_c = o * (1 - tanh_c * tanh_c)
    c_to_c = f
    if peepholes:
        p_i, p_f, p_o = peepholes
        h_to_c = h_to_c + of_o * p_o
        c_to_c = c_to_c + of_i * p_i + of_f * p_f
    factors = ops.concatenate([of_i, of_f, of_g, of_o], axis=-1)
    if mask is not None:
        factors, h_to_c = factors * mask, h_to_c * mask
        c_to_c = ops.where(mask > 0, c_to_c, 1)
    transposed = ops.transpose(recurrent_kernel)

    def step(carry, elements):
        d_h, d_c, _ = carry
        factors, h_to_c, c_to_c, *rest = elements
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_c = d_c + d_h * h_to_c
        d_z = ops.concatenate([d_c, d_c, d_c, d_h], axis=-1) * factors
        d_h_previous = ops.matmul(d_z, transposed)
        if mask is not None:
            d_h_previous = d_h_previous + d_h * (1 - rest[-1])
        return (d_h_previous, d_c * c_to_c, d_z), (d_z,)

    sequences = [factors, h_to_c, c_to_c]
    sequences += [s for s in (d_outputs, mask) if s is not None]
    carry = (*d_states, ops.zeros_like(factors[0]))
    (d_h, d_c, _), (d_z,) = loop(step, carry, tuple(sequences), outputs=1, reverse=True)
    d_weights = [
        products.weight_gradient(x, d_z),
        products.weight_gradient(products.shifted(h_first, hs), d_z),
        ops.sum(products.flat(d_z), axis=0),
    ]
    if peepholes:
        d_i, d_f, _, d_o = ops.split(d_z, 4, axis=-1)
        seen = ((d_i, c_previous), (d_f, c_previous), (d_o, cs))
        d_weights += [ops.sum(d * c, axis=(0, 1)) for d, c in seen]
    return products.unproject(d_z, kernel), d_weights, [d_h, d_c]

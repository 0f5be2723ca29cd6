"""Full-matrix peephole LSTM over a sequence, and its gradient, derived by hand.

Time-major; symbols as in `keras_seq.cells.PeepholeLSTMCell`. Only c feeds back, so the loop holds
two gates; the candidate before it and the output gate and h after it are whole-sequence products.

    dh_t -> do_t = dh_t * tanh(c_t) * o_t (1 - o_t),  e_t = dh_t * o_t * (1 - tanh(c_t)^2)
    dc_t = e_t + do_{t+1} U_o^T + dc_{t+1} * f_{t+1} + [di_{t+1}, df_{t+1}] [U_i, U_f]^T
    di_t = dc_t * g_t * i_t (1 - i_t)        df_t = dc_t * c_{t-1} * f_t (1 - f_t)
    dg_t = dc_t * i_t * (1 - g_t^2)

The first two terms of dc_t are known before the loop. A masked step passes dc on as it is; its
h repeats the h before it, so that the gradient for h goes to the last step that was not masked.
"""

from keras import ops

from keras_seq.scan.bptt import products
from keras_seq.scan.bptt.loop import loop


def forward(weights, x, states, mask, tape):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    kernel, recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    h_first, c_first = states
    gate_recurrent, output_recurrent = ops.split(recurrent_kernel * 0.5, [2 * units], axis=-1)
    scale, _ = products.squash(units, "ssts", x.dtype)
    z = products.project(x, kernel * scale, bias * scale)
    z_if, z_g, z_o = ops.split(z, [2 * units, 3 * units], axis=-1)
    g = ops.tanh(z_g)

    def step(carry, elements):
        c, _ = carry
        z_if, g, *rest = elements
        i_f = ops.tanh(z_if + ops.matmul(c, gate_recurrent)) * 0.5 + 0.5
        i, f = ops.split(i_f, 2, axis=-1)
        c_new = f * c + i * g
        if mask is not None:
            c_new = ops.where(rest[0] > 0, c_new, c)
        # The gates ride in the carry only to make XLA compute them once.
        return (c_new, i_f), ((c_new, i_f) if tape else (c_new,))

    sequences = (z_if, g) if mask is None else (z_if, g, mask)
    carry = (c_first, ops.zeros_like(z_if[0]))
    (c, _), (cs, *gates) = loop(step, carry, sequences, outputs=2 if tape else 1)
    u_o = ops.matmul(products.flat(products.shifted(c_first, cs)), output_recurrent)
    o = ops.tanh(z_o + ops.reshape(u_o, ops.shape(z_o))) * 0.5 + 0.5
    tanh_c = ops.tanh(cs)
    hs = o * tanh_c
    if mask is not None:
        hs = _held(hs, h_first, mask)
    return hs, [hs[-1], c], (cs, *gates, g, o, tanh_c)


def backward(weights, x, states, mask, tape, d_outputs, d_states):
    """As `keras_seq.scan.bptt.lstm.backward`."""
    kernel, recurrent_kernel, _ = weights
    units = recurrent_kernel.shape[0]
    gate_recurrent, output_recurrent = ops.split(recurrent_kernel, [2 * units], axis=-1)
    h_first, c_first = states
    d_h_last, d_c_last = d_states
    cs, i_f, g, o, tanh_c = tape
    i, f = ops.split(i_f, 2, axis=-1)
    c_previous = products.shifted(c_first, cs)
    d_hs = ops.zeros_like(cs) if d_outputs is None else d_outputs
    if mask is None:
        d_hs = ops.concatenate([d_hs[:-1], d_hs[-1:] + d_h_last[None]], axis=0)
        d_h_first = ops.zeros_like(h_first)
    else:
        d_hs, d_h_first = _held_gradient(d_hs, d_h_last, mask)
    d_o = d_hs * tanh_c * o * (1 - o)
    e = d_hs * o * (1 - tanh_c * tanh_c)
    of_o = ops.matmul(products.flat(d_o), ops.transpose(output_recurrent))
    of_o = ops.reshape(of_o, ops.shape(cs))
    known = e + ops.concatenate([of_o[1:], ops.zeros_like(of_o[:1])], axis=0)
    factors = ops.concatenate([g * i * (1 - i), c_previous * f * (1 - f)], axis=-1)
    of_g = i * (1 - g * g)
    if mask is not None:
        factors, of_g, f = factors * mask, of_g * mask, ops.where(mask > 0, f, 1)
    transposed = ops.transpose(gate_recurrent)

    def step(carry, elements):
        d_c, _ = carry
        known, factors, f = elements
        d_c = d_c + known
        d_if = ops.concatenate([d_c, d_c], axis=-1) * factors
        return (d_c * f + ops.matmul(d_if, transposed), d_if), (d_if, d_c)

    carry = (d_c_last, ops.zeros_like(factors[0]))
    (d_c, _), (d_if, d_cs) = loop(step, carry, (known, factors, f), outputs=2, reverse=True)
    d_z = ops.concatenate([d_if, d_cs * of_g, d_o], axis=-1)
    d_recurrent = [products.weight_gradient(c_previous, d) for d in (d_if, d_o)]
    d_weights = [
        products.weight_gradient(x, d_z),
        ops.concatenate(d_recurrent, axis=-1),
        ops.sum(products.flat(d_z), axis=0),
    ]
    return products.unproject(d_z, kernel), d_weights, [d_h_first, d_c + of_o[0]]


def _held(hs, h_first, mask):
    """H at every step, where masked steps repeat the h before them."""

    def step(carry, elements):
        (h,), (h_new, seen) = carry, elements
        h = ops.where(seen > 0, h_new, h)
        return (h,), (h,)

    return loop(step, (h_first,), (hs, mask), outputs=1)[1][0]


def _held_gradient(d_held, d_last, mask):
    """The gradient of `_held` for hs and h_first."""

    def step(carry, elements):
        (d_h,), (d_new, seen) = carry, elements
        d_h = d_h + d_new
        return (d_h * (1 - seen),), (d_h * seen,)

    (d_first,), (d_hs,) = loop(step, (d_last,), (d_held, mask), outputs=1, reverse=True)
    return d_hs, d_first

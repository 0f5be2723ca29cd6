"""Full-matrix peephole LSTM over a sequence, and its gradient, derived by hand.

Symbols as in `keras_seq.cells.PeepholeLSTMCell`. Only c feeds back, so the loop holds two gates
and the candidate; the output gate and h are computed for the whole sequence after it.

    do_t = dh_t * tanh(c_t) * o_t (1 - o_t)
    dc_t += dh_t * o_t * (1 - tanh(c_t)^2)
    di_t = dc_t * g_t * i_t (1 - i_t)        df_t = dc_t * c_{t-1} * f_t (1 - f_t)
    dg_t = dc_t * i_t * (1 - g_t^2)
    dc_{t-1} = dc_t * f_t + [di_t, df_t] [U_i, U_f]^T + do_t U_o^T

No do_t depends on a dc, so that the last product is one for the whole sequence too. A masked step
passes dc on as it is; its h repeats the h before it, so that the gradient for h goes to the last
step that was not masked.
"""

from keras import ops

from keras_seq.scan.bptt.loop import loop, pieces, previous


def forward(weights, projected, states, mask, reverse, tape):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    h_first, c_first = states
    dtype = c_first.dtype
    gate_recurrent, output_recurrent = ops.split(recurrent_kernel, [2 * units], axis=-1)
    b_i, b_f, b_g, b_o = ops.split(bias, 4)
    z_i, z_f, z_g, z_o = pieces(projected, 4)

    def step(carry, elements):
        (c,) = carry
        z_i, z_f, z_g, *seen = elements
        u_i, u_f = ops.split(ops.matmul(c, gate_recurrent), 2, axis=-1)
        i = ops.sigmoid(z_i + u_i + b_i)
        f = ops.sigmoid(z_f + u_f + b_f)
        g = ops.tanh(z_g + b_g)
        c_new = f * c + i * g
        if seen:
            c_new = ops.where(seen[0] > 0, c_new, c)
        return (c_new,), ((c_new, i, f, g) if tape else (c_new,))

    sequences = [z_i, z_f, z_g, *([] if mask is None else [mask])]
    (c,), (cs, *gates) = loop(step, (c_first,), sequences, [units] * (4 if tape else 1), reverse)
    cs_previous = previous(c_first, cs, reverse)
    z_o = ops.cast(projected[:, :, z_o.start :], dtype)
    u_o = ops.matmul(ops.cast(cs_previous, dtype), output_recurrent)
    o = ops.sigmoid(z_o + u_o + b_o)
    hs = ops.cast(o * ops.tanh(ops.cast(cs, dtype)), cs.dtype)
    if mask is not None:
        hs = _held(hs, h_first, mask, reverse)
    h = ops.cast(hs[:, 0] if reverse else hs[:, -1], dtype)
    return hs, [h, c], (*gates, ops.cast(o, cs.dtype), cs_previous)


def backward(weights, mask, reverse, tape, d_outputs, d_states):
    """As `keras_seq.scan.bptt.lstm.backward`."""
    recurrent_kernel, _ = weights
    units = recurrent_kernel.shape[0]
    gate_recurrent, output_recurrent = ops.split(recurrent_kernel, [2 * units], axis=-1)
    d_h_last, d_c_last = d_states
    dtype = d_c_last.dtype
    d_hs = ops.zeros_like(tape[0]) if d_outputs is None else d_outputs
    d_hs, d_h_first = _held_gradient(d_hs, d_h_last, mask, reverse)
    i, f, g, o, c_previous = (ops.cast(s, dtype) for s in tape)
    d_o = ops.cast(d_hs, dtype) * ops.tanh(f * c_previous + i * g) * o * (1 - o)
    d_c_of_o = ops.matmul(d_o, ops.transpose(output_recurrent))
    transposed = ops.transpose(gate_recurrent)

    def step(carry, elements):
        (d_c,) = carry
        i, f, g, o, c_previous, d_h, d_o, d_c_of_o, *seen = elements
        tanh_c = ops.tanh(f * c_previous + i * g)
        d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
        d_i = d_c * g * i * (1 - i)
        d_f = d_c * c_previous * f * (1 - f)
        d_g = d_c * i * (1 - g * g)
        if seen:
            d_i, d_f, d_g = (d * seen[0] for d in (d_i, d_f, d_g))
            f = ops.where(seen[0] > 0, f, 1)
        d_u = ops.matmul(ops.concatenate([d_i, d_f], axis=-1), transposed)
        d_projected = ops.concatenate([d_i, d_f, d_g, d_o], axis=-1)
        return (d_c * f + d_u + d_c_of_o,), (d_projected, ops.concatenate([d_i, d_f, d_o], axis=-1))

    narrow = tape[0].dtype
    sequences = [*tape, d_hs, ops.cast(d_o, narrow), ops.cast(d_c_of_o, narrow)]
    sequences += [] if mask is None else [mask]
    widths = (4 * units, 3 * units)
    (d_c,), (d_projected, d_u) = loop(step, (d_c_last,), sequences, widths, not reverse)
    d_bias = ops.sum(ops.cast(d_projected, dtype), axis=(0, 1))
    return d_projected, d_u, [d_bias], [d_h_first, d_c]


def _held(hs, h_first, mask, reverse):
    """H at every step, where masked steps repeat the h before them."""

    def step(carry, elements):
        (h,), (h_new, seen) = carry, elements
        h = ops.where(seen > 0, h_new, h)
        return (h,), (h,)

    return loop(step, (h_first,), (hs, mask), hs.shape[-1:], reverse)[1][0]


def _held_gradient(d_held, d_last, mask, reverse):
    """The gradient of `_held` for hs and h_first."""
    if mask is None:
        last = ops.cast(d_last, d_held.dtype)[:, None]
        first, end = (
            (d_held[:, :1] + last, d_held[:, 1:])
            if reverse
            else (d_held[:, :-1], d_held[:, -1:] + last)
        )
        return ops.concatenate([first, end], axis=1), ops.zeros_like(d_last)

    def step(carry, elements):
        (d_h,), (d_new, seen) = carry, elements
        d_h = d_h + d_new
        return (d_h * (1 - seen),), (d_h * seen,)

    (d_first,), (d_hs,) = loop(step, (d_last,), (d_held, mask), d_held.shape[-1:], not reverse)
    return d_hs, d_first

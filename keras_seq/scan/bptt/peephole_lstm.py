"""Passes of the full-matrix peephole LSTM over a sequence.

Symbols are those of `keras_seq.cells.PeepholeLSTMCell`. The recurrence is through c only:

    do_t = dh_t * tanh(c_t) * o_t (1 - o_t)  dc_t += dh_t * o_t * (1 - tanh(c_t)^2)
    di_t = dc_t * g_t * i_t (1 - i_t)        df_t = dc_t * c_{t-1} * f_t (1 - f_t)
    dg_t = dc_t * i_t * (1 - g_t^2)          dc_{t-1} = dc_t * f_t + [di_t, df_t, do_t] U^T

A masked step passes dh and dc on unchanged. The output gate could be computed for the whole
sequence after the loop. Inside the loop it is faster, since its operands are in the cache.
"""

from collections.abc import Sequence

from keras import ops

from keras_seq._internal.float64 import tanh
from keras_seq._internal.types import States, Tensor
from keras_seq.scan.bptt.lstm import Residuals
from keras_seq.scan.loop import Carry, StepRange, loop, sigmoid, split_columns, split_fused_gates


def forward(
    weights: Sequence[Tensor],
    projected: Tensor,
    states: States,
    mask: Tensor | None,
    reverse: bool,
    keep_residuals: bool,
    step_range: StepRange | None = None,
) -> tuple[Tensor, States, Residuals]:
    """Run the forward pass, as `keras_seq.scan.bptt.lstm.forward`."""
    recurrent_kernel, bias = weights
    units = recurrent_kernel.shape[0]
    b_if, b_g, b_o = ops.split(bias, [2 * units, 3 * units])
    widths = [2 * units] if keep_residuals else [units, units]
    b_if = ops.split(b_if, len(widths))

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        h, c = carry
        *z_if, z_g, z_o = elements[: len(widths) + 2]
        u_if, u_o = ops.split(ops.matmul(c, recurrent_kernel), [2 * units], axis=-1)
        u_if = ops.split(u_if, len(widths), axis=-1)
        i_f = [sigmoid(z + u + b) for z, u, b in zip(z_if, u_if, b_if)]
        i, f = split_fused_gates(i_f)
        g = tanh(z_g + b_g)
        o = sigmoid(z_o + u_o + b_o)
        c_new = f * c + i * g
        h_new = o * tanh(c_new)
        kept = (*i_f, g, o, c) if keep_residuals else ()
        if mask is not None:
            is_unmasked = elements[-1] > 0
            h_new, c_new = ops.where(is_unmasked, h_new, h), ops.where(is_unmasked, c_new, c)
        return (h_new, c_new), (h_new, *kept)

    inputs = split_columns(projected, *widths, units, units)
    sequences = [*inputs, mask]
    kept_widths = (2 * units, units, units, units) if keep_residuals else ()
    (h, c), (hs, *stacks) = loop(
        step, tuple(states), sequences, (units, *kept_widths), reverse, step_range
    )
    return hs, [h, c], stacks


def backward(
    weights: Sequence[Tensor],
    mask: Tensor | None,
    reverse: bool,
    residuals: Residuals,
    d_outputs: Tensor | None,
    d_states: States,
    step_range: StepRange | None = None,
) -> tuple[Tensor, Tensor | None, list[Tensor], States]:
    """Run the backward pass, as `keras_seq.scan.bptt.lstm.backward`."""
    recurrent_kernel, _ = weights
    units = recurrent_kernel.shape[0]
    transposed = ops.transpose(recurrent_kernel)

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        d_h, d_c = carry
        i, f, g, o, c_previous, *rest = elements
        tanh_c = tanh(f * c_previous + i * g)
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_o = d_h * tanh_c * o * (1 - o)
        d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
        d_i = d_c * g * i * (1 - i)
        d_f = d_c * c_previous * f * (1 - f)
        d_g = d_c * i * (1 - g * g)
        d_h_previous = ops.zeros_like(d_h)
        if mask is not None:
            unmasked = rest[-1]
            d_i, d_f, d_g, d_o = (d * unmasked for d in (d_i, d_f, d_g, d_o))
            d_h_previous = d_h * (1 - unmasked)
            d_c, f = ops.where(unmasked > 0, d_c, carry[1]), ops.where(unmasked > 0, f, 1)
        d_projected = ops.concatenate([d_i, d_f, d_g, d_o], axis=-1)
        d_u = ops.concatenate([d_i, d_f, d_o], axis=-1)
        return (d_h_previous, d_c * f + ops.matmul(d_u, transposed)), (d_projected, d_u)

    i_f, *others = residuals
    sequences = [*split_columns(i_f, units, units), *others, d_outputs, mask]
    carry, widths = tuple(d_states), (4 * units, 3 * units)
    d_initial, (d_projected, d_u) = loop(step, carry, sequences, widths, not reverse, step_range)
    d_bias = ops.sum(d_projected, axis=(0, 1))
    return d_projected, d_u, [d_bias], list(d_initial)

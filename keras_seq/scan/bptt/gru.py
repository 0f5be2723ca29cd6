"""Passes of the GRU with `reset_after` over a sequence.

Symbols are those of `keras_seq.cells.GRUCell`, with u_t = U_h h_{t-1} + b'_h:

    dz_t = dh_t * (h_{t-1} - g_t) * z_t (1 - z_t)
    dg_t = dh_t * (1 - z_t) * (1 - g_t^2)
    dr_t = dg_t * u_t * r_t (1 - r_t)
    dh_{t-1} = dh_t * z_t + [dz_t, dr_t, dg_t * r_t] U^T

A masked step passes dh on unchanged.
"""

from collections.abc import Sequence

from keras import ops

from keras_seq._internal.float64 import tanh
from keras_seq._internal.types import States, Tensor
from keras_seq.scan.bptt.lstm import Residuals
from keras_seq.scan.loop import (
    Carry,
    StepRange,
    loop,
    shift,
    sigmoid,
    split_columns,
    split_fused_gates,
)


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
    gates = 2 * units
    b_g, b_u = bias[0, gates:], bias[1, gates:]
    widths = [gates] if keep_residuals else [units, units]
    b_zr = ops.split(bias[0, :gates] + bias[1, :gates], len(widths))

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        (h,) = carry
        *x_zr, x_g = elements[: len(widths) + 1]
        u_zr, u = ops.split(ops.matmul(h, recurrent_kernel), [gates], axis=-1)
        u_zr = ops.split(u_zr, len(widths), axis=-1)
        zr = [sigmoid(x + u + b) for x, u, b in zip(x_zr, u_zr, b_zr)]
        z, r = split_fused_gates(zr)
        u = u + b_u
        g = tanh(x_g + b_g + r * u)
        kept = (*zr, g, u) if keep_residuals else ()
        h_new = g + z * (h - g)
        if mask is not None:
            h_new = ops.where(elements[-1] > 0, h_new, h)
        return (h_new,), (h_new, *kept)

    sequences = [*split_columns(projected, *widths, units), mask]
    kept_widths = (gates, units, units) if keep_residuals else ()
    (h,), (hs, *stacks) = loop(
        step, tuple(states), sequences, (units, *kept_widths), reverse, step_range
    )
    return hs, [h], (*stacks, shift(states[0], hs, reverse, step_range))


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

    zr, *others = residuals
    sequences = [*split_columns(zr, units, units), *others, d_outputs, mask]
    carry, widths = tuple(d_states), (3 * units, 3 * units)
    (d_h,), (d_projected, d_u) = loop(step, carry, sequences, widths, not reverse, step_range)
    d_biases = [ops.sum(d, axis=(0, 1)) for d in (d_projected, d_u)]
    return d_projected, d_u, [ops.stack(d_biases)], [d_h]

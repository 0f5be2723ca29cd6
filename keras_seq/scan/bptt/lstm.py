"""Passes of the LSTM and the diagonal-peephole LSTM over a sequence.

Sequences are `(batch, timesteps, n)`. Symbols are those of `keras_seq.cells.LSTMCell`; `d_x` is the
gradient of the loss with respect to x, and z the four pre-activations. Without a mask:

    dc_t += dh_t * o_t * (1 - tanh(c_t)^2)   [+ do_t * p_o]
    di_t = dc_t * g_t * i_t (1 - i_t)        df_t = dc_t * c_{t-1} * f_t (1 - f_t)
    dg_t = dc_t * i_t * (1 - g_t^2)          do_t = dh_t * tanh(c_t) * o_t (1 - o_t)
    dh_{t-1} = dz_t U^T                      dc_{t-1} = dc_t * f_t   [+ di_t * p_i + df_t * p_f]

with the terms of the peepholes in brackets. A masked step passes dh and dc on unchanged.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from keras import ops

from keras_seq._internal.float64 import tanh
from keras_seq._internal.types import States, Tensor
from keras_seq.scan.loop import Carry, StepRange, loop, shift, sigmoid, split_columns

Residuals: TypeAlias = Sequence[Tensor]
"""Tensors `(batch, timesteps, n)` that a forward pass keeps for the backward pass.

The last is the one that each step multiplies by the recurrent kernel.
"""


def forward(
    weights: Sequence[Tensor],
    projected: Tensor,
    states: States,
    mask: Tensor | None,
    reverse: bool,
    keep_residuals: bool,
    step_range: StepRange | None = None,
) -> tuple[Tensor, States, Residuals]:
    """Run the forward pass.

    Args:
        weights: Weights of the cell without the kernel.
        projected: Inputs times the kernel, `(batch, timesteps, gates * units)`.
        states: Initial states, each `(batch, units)`.
        mask: None, or ones and zeros `(batch, timesteps, 1)`.
        reverse: Whether to start at the last time step.
        keep_residuals: Whether `backward` follows; otherwise the residuals are incomplete.
        step_range: As in `keras_seq.scan.loop.loop`.

    Returns:
        All outputs `(batch, timesteps, units)`, the final states, and the residuals.
    """
    recurrent_kernel, bias, *peepholes = weights
    h, c = states
    units = recurrent_kernel.shape[0]
    # One tanh computes all gates if they are kept. Otherwise XLA computes each where it is read.
    is_fused = keep_residuals and not peepholes
    if is_fused:
        # sigmoid(z) = tanh(z / 2) / 2 + 1/2
        is_sigmoid = np.repeat([1, 1, 0, 1], units)
        scale = ops.convert_to_tensor(1 - 0.5 * is_sigmoid, h.dtype)
        offset = ops.convert_to_tensor(0.5 * is_sigmoid, h.dtype)
        recurrent_kernel, bias = recurrent_kernel * scale, bias * scale
        inputs = [projected]
    else:
        biases = ops.split(bias, 4)
        inputs = split_columns(projected, *[units] * 4)
    if peepholes:
        p_i, p_f, p_o = peepholes

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        h, c = carry
        u = ops.matmul(h, recurrent_kernel)
        if is_fused:
            gates = tanh(elements[0] * scale + u + bias) * scale + offset
            i, f, g, o = ops.split(gates, 4, axis=-1)
            c_new = f * c + i * g
        else:
            addends = zip(elements[:4], ops.split(u, 4, axis=-1), biases, strict=True)
            z_i, z_f, z_g, z_o = (z + u + b for z, u, b in addends)
            if peepholes:
                z_i, z_f = z_i + p_i * c, z_f + p_f * c
            i, f, g = sigmoid(z_i), sigmoid(z_f), tanh(z_g)
            c_new = f * c + i * g
            o = sigmoid(z_o + p_o * c_new if peepholes else z_o)
            gates = ops.concatenate([i, f, g, o], axis=-1) if keep_residuals else None
        h_new = o * tanh(c_new)
        kept = (gates, c) if keep_residuals else ()
        if mask is not None:
            is_unmasked = elements[-1] > 0
            h_new, c_new = ops.where(is_unmasked, h_new, h), ops.where(is_unmasked, c_new, c)
        return (h_new, c_new), (h_new, *kept)

    sequences = [*inputs, mask]
    widths = (units, 4 * units, units) if keep_residuals else (units,)
    (h, c), stacks = loop(step, (h, c), sequences, widths, reverse, step_range)
    return stacks[0], [h, c], (*stacks[1:], shift(states[0], stacks[0], reverse, step_range))


def backward(
    weights: Sequence[Tensor],
    mask: Tensor | None,
    reverse: bool,
    residuals: Residuals,
    d_outputs: Tensor | None,
    d_states: States,
    step_range: StepRange | None = None,
) -> tuple[Tensor, Tensor | None, list[Tensor], States]:
    """Run the backward pass, without the products over the whole sequence.

    Args:
        weights: As in `forward`.
        mask: As in `forward`.
        reverse: As in `forward`.
        residuals: Residuals that `forward` returned.
        d_outputs: Gradient for the outputs, `(batch, timesteps, units)`. None if only the final
            states were used.
        d_states: Gradients for the final states.
        step_range: As in `keras_seq.scan.loop.loop`, in the order of this pass.

    Returns:
        Gradients for the projected inputs; for the product with the recurrent kernel (None if both
        are equal); for the weights without the two kernels; and for the initial states.
    """
    recurrent_kernel, _, *peepholes = weights
    units = recurrent_kernel.shape[0]
    gates, cs_previous, _ = residuals
    if peepholes:
        p_i, p_f, p_o = peepholes
    transposed = ops.transpose(recurrent_kernel)

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        d_h, d_c, *d_peepholes = carry
        i, f, g, o, c_previous, *rest = elements
        c = f * c_previous + i * g
        tanh_c = tanh(c)
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
        d_gates = [d_i, d_f, d_g, d_o]
        if mask is not None:
            d_gates = [d * rest[-1] for d in d_gates]
            d_c_previous = ops.where(rest[-1] > 0, d_c_previous, d_c)
        d_z = ops.concatenate(d_gates, axis=-1)
        d_h_previous = ops.matmul(d_z, transposed)
        if mask is not None:
            d_h_previous = d_h_previous + d_h * (1 - rest[-1])
        if peepholes:
            d_i, d_f, _, d_o = d_gates
            terms = (d_i * c_previous, d_f * c_previous, d_o * c)
            d_peepholes = [d + term for d, term in zip(d_peepholes, terms)]
        return (d_h_previous, d_c_previous, *d_peepholes), (d_z,)

    sequences = [*split_columns(gates, *[units] * 4), cs_previous, d_outputs, mask]
    carry = (*d_states, *(ops.zeros_like(d_states[1]) for _ in peepholes))
    (d_h, d_c, *d_peepholes), (d_z,) = loop(
        step, carry, sequences, (4 * units,), not reverse, step_range
    )
    d_weights = [ops.sum(d_z, axis=(0, 1))]
    d_weights += [ops.sum(d, axis=0) for d in d_peepholes]
    return d_z, None, d_weights, [d_h, d_c]

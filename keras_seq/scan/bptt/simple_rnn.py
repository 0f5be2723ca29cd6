"""Passes of the simple recurrent cell over a sequence.

Symbols are those of `keras_seq.cells.SimpleRNNCell`:

    dz_t = dh_t * (1 - h_t^2)        dh_{t-1} = dz_t U^T

A masked step passes dh on unchanged.
"""

from collections.abc import Sequence

from keras import ops

from keras_seq._internal.float64 import tanh
from keras_seq._internal.types import States, Tensor
from keras_seq.scan.bptt.lstm import Residuals
from keras_seq.scan.loop import Carry, StepRange, loop, shift


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
    del keep_residuals  # the outputs are the residuals
    recurrent_kernel, bias = weights

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        (h,) = carry
        h_new = tanh(elements[0] + bias + ops.matmul(h, recurrent_kernel))
        if mask is not None:
            h_new = ops.where(elements[1] > 0, h_new, h)
        return (h_new,), (h_new,)

    (h,), stacks = loop(
        step, tuple(states), (projected, mask), (bias.shape[0],), reverse, step_range
    )
    hs = stacks[0]
    return hs, [h], (hs, shift(states[0], hs, reverse, step_range))


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
    recurrent_kernel, bias = weights
    hs, _ = residuals
    transposed = ops.transpose(recurrent_kernel)

    def step(carry: Carry, elements: Sequence[Tensor]) -> tuple[Carry, Carry]:
        (d_h,) = carry
        h, *rest = elements
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_z = d_h * (1 - h * h)
        if mask is not None:
            d_z = d_z * rest[-1]
        d_h_previous = ops.matmul(d_z, transposed)
        if mask is not None:
            d_h_previous = d_h_previous + d_h * (1 - rest[-1])
        return (d_h_previous,), (d_z,)

    sequences, widths = (hs, d_outputs, mask), (bias.shape[0],)
    (d_h,), (d_z,) = loop(step, tuple(d_states), sequences, widths, not reverse, step_range)
    d_bias = ops.sum(d_z, axis=(0, 1))
    return d_z, None, [d_bias], [d_h]

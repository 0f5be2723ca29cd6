"""cuDNN's LSTM on JAX, with any mask.

cuDNN takes the length of each sequence, not a mask. So the unmasked steps of a sequence are moved
to its start, and the outputs are moved back.
"""

from typing import Any

from keras import ops

from keras_seq._internal.types import States, Tensor
from keras_seq.scan.padding import zero_masked


def lstm_scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None,
    go_backwards: bool,
    zero_output_for_mask: bool,
) -> tuple[Tensor, Tensor, States]:
    """Run an `LSTMCell` over a sequence by `jax.experimental.rnn`.

    The kernel computes in float32, with TF32 products unless JAX's default precision of matrix
    products is "highest". It has first derivatives in reverse mode only.

    Args:
        cell: Cell with a bias and the default activations.
        sequences: `(batch, timesteps, features)`.
        initial_state: `[h, c]`, each `(batch, units)`.
        mask: None or bools `(batch, timesteps)`.
        go_backwards: As in `keras_seq.scan.scan`.
        zero_output_for_mask: As in `keras_seq.scan.scan`.

    Returns:
        As `keras_seq.scan.scan`.

    Raises:
        NotImplementedError: If JAX's default precision of matrix products is bfloat16.
    """
    dtype = sequences.dtype
    if go_backwards:
        sequences = ops.flip(sequences, 1)
        mask = None if mask is None else ops.flip(mask, 1)
    batch, timesteps, _ = sequences.shape
    num_steps = ops.full((batch,), timesteps, "int32")
    if mask is not None:
        mask = ops.cast(mask, "bool")
        num_steps = ops.sum(ops.cast(mask, "int32"), axis=1)
        # The sort is stable, so the unmasked steps keep their order.
        order = ops.argsort(ops.cast(ops.logical_not(mask), "int32"), axis=1)
        sequences = _take_steps(zero_masked(sequences, mask), order)
    outputs, h, c = _run_kernel(cell, sequences, initial_state, num_steps)
    outputs, h, c = (ops.cast(tensor, dtype) for tensor in (outputs, h, c))
    if mask is None:
        return h, outputs, [h, c]
    # A masked step repeats the output of the latest unmasked step, which is zero at the start.
    last_step = ops.cumsum(ops.cast(mask, "int32"), axis=1) - 1
    outputs = _take_steps(outputs, ops.maximum(last_step, 0))
    shown = mask if zero_output_for_mask else last_step >= 0
    outputs = zero_masked(outputs, shown)
    # cuDNN needs at least one step, so a fully masked sequence had one too many.
    is_empty = (num_steps == 0)[:, None]
    h_0, c_0 = (ops.cast(state, dtype) for state in initial_state)
    states = [ops.where(is_empty, h_0, h), ops.where(is_empty, c_0, c)]
    return outputs[:, -1], outputs, states


def _run_kernel(
    cell: Any, sequences: Tensor, initial_state: States, num_steps: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs, h and c of sequences that are padded at the end."""
    from jax.experimental import rnn

    features, units = cell.kernel.shape[0], cell.units
    tensors = (sequences, *initial_state, cell.kernel, cell.recurrent_kernel, cell.bias)
    x, h, c, kernel, recurrent_kernel, bias = (
        ops.cast(ops.convert_to_tensor(t), "float32") for t in tensors
    )
    # The gates are in Keras's order, i, f, c, o. cuDNN has two biases, of which Keras has one.
    weights = [ops.transpose(kernel), ops.transpose(recurrent_kernel), bias, ops.zeros_like(bias)]
    y, h, c = rnn.lstm(
        x,
        h[None],
        c[None],
        ops.concatenate([ops.reshape(w, (-1,)) for w in weights]),
        ops.maximum(num_steps, 1),
        features,
        units,
        1,  # layer
        0.0,  # dropout
        False,  # one direction
    )
    return y, h[0], c[0]


def _take_steps(sequences: Tensor, steps: Tensor) -> Tensor:
    """Return the time steps `(batch, timesteps)` of sequences, one list of steps per row."""
    return ops.take_along_axis(sequences, steps[:, :, None], axis=1)

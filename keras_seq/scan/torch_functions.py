"""SimpleRNN, GRU and LSTM by torch's own functions over whole sequences, on a CPU.

torch computes an LSTM with oneDNN, and the steps of the others in C++. It differentiates these
functions to any order. They take no masks. So the unmasked steps of each row are moved to the front
of it, and the outputs back to their places. This supports all masks, not only padding on the right.
"""

from typing import Any

import keras
from keras import ops

from keras_seq import cells
from keras_seq._internal.torch_compat import is_transformed
from keras_seq._internal.types import States, Tensor

FUNCTIONS = {cells.SimpleRNNCell: "rnn_tanh", cells.GRUCell: "gru", cells.LSTMCell: "lstm"}
"""Names of the functions in `torch`, with the default activation of each cell class."""

SATURATED = 1e9
"""Pre-activation whose sigmoid is exactly 1, and that of its negative exactly 0."""


def unsupported_reason(cell: Any, sequences: Tensor) -> str | None:
    """Return why torch has no function for a cell and its inputs, as a clause; None if it has one.

    Args:
        cell: Recurrent cell.
        sequences: `(batch, timesteps, features)`.
    """
    device = sequences.device.type
    conditions = (
        (type(cell) not in FUNCTIONS, f"torch has no function for {type(cell).__name__}"),
        # Keras infers shapes on the device "meta".
        (device not in ("cpu", "meta"), f"the device is {device}"),
        (is_transformed(), "a transform or forward-mode differentiation of torch is active"),
    )
    return next((reason for is_unsupported, reason in conditions if is_unsupported), None)


def torch_scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> tuple[Tensor, Tensor, States]:
    """Run a cell over a sequence, where there is no `unsupported_reason`.

    The arguments and the results are those of `keras_seq.scan.scan`.
    """
    import torch

    if mask is None:
        inputs = sequences.flip(1) if go_backwards else sequences
        outputs, states = _run(cell, inputs.transpose(0, 1), initial_state)
        return outputs[-1], outputs.transpose(0, 1), states
    batch, timesteps, _ = sequences.shape
    mask = ops.cast(mask, "bool")
    rows = torch.arange(batch, device=mask.device)
    mask = (mask.flip(1) if go_backwards else mask).transpose(0, 1)
    counts = mask.cumsum(0)
    lengths = counts[-1]
    # The unmasked steps of each row, followed by the masked ones.
    steps = torch.argsort(mask, dim=0, descending=True, stable=True)
    steps = timesteps - 1 - steps if go_backwards else steps
    inputs = _select(sequences, rows * timesteps + steps)
    outputs, states = _run(cell, inputs, initial_state, lengths)
    # A masked step repeats the previous output, which is zero at the start.
    has_output = mask if zero_output_for_mask else counts > 0
    last = _select(outputs, (lengths - 1).clamp(min=0) * batch + rows)
    states[0] = torch.where(lengths[:, None] > 0, last, initial_state[0])
    last_output = last.masked_fill(~has_output[-1, :, None], 0)
    if not return_sequences:
        return last_output, last_output[:, None], states
    outputs = _select(outputs, ((counts - 1).clamp(min=0) * batch + rows).transpose(0, 1))
    return last_output, outputs.masked_fill(~has_output.transpose(0, 1)[:, :, None], 0), states


def _select(sequences: Tensor, places: Tensor) -> Tensor:
    """Return the vectors at some places among all those of a tensor.

    Args:
        sequences: Tensor `(a, b, n)`.
        places: Tensor of numbers from 0 to `a * b - 1`.
    """
    vectors = sequences.flatten(0, 1).index_select(0, places.flatten())
    return vectors.unflatten(0, places.shape)


def _run(
    cell: Any, inputs: Tensor, initial_state: States, lengths: Tensor | None = None
) -> tuple[Tensor, States]:
    """Run torch's function.

    Args:
        cell: Cell with a function in `FUNCTIONS`.
        inputs: `(timesteps, batch, features)`.
        initial_state: Initial states, each `(batch, units)`.
        lengths: Numbers of steps `(batch,)` after which the memory of an LSTM does not change.
            Default: all steps.

    Returns:
        Outputs `(timesteps, batch, units)`, and the states after the last step.
    """
    import torch

    dtype = inputs.dtype
    # The steps are computed in float32 at least.
    compute_dtype = torch.float32 if dtype == torch.bfloat16 else dtype
    kernel, recurrent_kernel, *biases = (w.to(compute_dtype) for w in _weights(cell))
    inputs = inputs.to(compute_dtype)
    if lengths is not None and isinstance(cell, cells.LSTMCell):
        inputs, kernel = _close_gates(inputs, kernel, lengths)
    is_relu = cell.activation is keras.activations.relu
    function = getattr(torch, "rnn_relu" if is_relu else FUNCTIONS[type(cell)])
    states = [state.to(compute_dtype)[None] for state in initial_state]
    outputs, *states = function(
        inputs,
        states if len(states) > 1 else states[0],
        [kernel.T, recurrent_kernel.T, *biases],
        has_biases=bool(biases),
        num_layers=1,
        dropout=0.0,
        train=torch.is_grad_enabled(),
        bidirectional=False,
        batch_first=False,
    )
    return outputs.to(dtype), [state[0].to(dtype) for state in states]


def _weights(cell: Any) -> list[Tensor]:
    """Return the kernels and, if the cell has a bias, the two biases that torch adds."""
    import torch

    weights = [ops.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel)]
    if cell.bias is not None:
        bias = ops.convert_to_tensor(cell.bias)
        weights += list(bias) if bias.ndim == 2 else [bias, torch.zeros_like(bias)]
    if not isinstance(cell, cells.GRUCell):
        return weights
    # torch has the reset gate first.
    gates = (torch.chunk(weight, 3, dim=-1) for weight in weights)
    return [torch.cat((reset, update, new), dim=-1) for update, reset, new in gates]


def _close_gates(inputs: Tensor, kernel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inputs and the kernel of an LSTM with one more feature, which is 1 after the end.

    There it closes the input gate and opens the forget gate, so that the final memory is that of
    the last unmasked step. torch returns no other.
    """
    import torch

    timesteps = torch.arange(len(inputs), device=inputs.device)
    is_after_end = (timesteps[:, None] >= lengths).to(inputs.dtype)
    inputs = torch.cat((inputs, is_after_end[:, :, None]), dim=-1)
    row = torch.zeros(1, kernel.shape[1], dtype=kernel.dtype, device=kernel.device)
    units = kernel.shape[1] // 4
    row[:, :units], row[:, units : 2 * units] = -SATURATED, SATURATED
    return inputs, torch.cat((kernel, row))

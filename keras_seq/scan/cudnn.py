from typing import Any

import keras

from keras_seq._internal.keras_compat import backend
from keras_seq._internal.types import States, Tensor
from keras_seq.cells import GRUCell, LSTMCell
from keras_seq.scan import cudnn_jax


def cudnn_applies(cell: Any, unroll: bool = False, is_masked: bool = False) -> bool:
    """Return whether a GPU is present and cuDNN computes the equations of a cell.

    On JAX these are LSTMs in float32 or less, with any mask. On other backends these are LSTMs and
    GRUs without a mask: Keras's code fails for fully masked rows, and its outputs at masked steps
    differ from those of the general loop (tensorflow/tensorflow 36139, 60192).

    Args:
        cell: Recurrent cell.
        unroll: Whether the loop is unrolled, which cuDNN does not support.
        is_masked: Whether there is a mask.
    """
    cudnn_ok = getattr(backend, "cudnn_ok", None)
    if type(cell) not in (LSTMCell, GRUCell) or cudnn_ok is None:
        return False
    if cell.recurrent_dropout or not getattr(cell, "reset_after", True):
        return False
    if keras.backend.backend() == "jax":
        if type(cell) is GRUCell or cell.compute_dtype == "float64":
            return False
    elif is_masked:
        return False
    return bool(cudnn_ok(cell.activation, cell.recurrent_activation, unroll, cell.use_bias))


def cudnn_scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> tuple[Tensor, Tensor, States]:
    """Run a cell over a sequence, as `keras_seq.scan.scan` does.

    Args:
        cell: Cell to which `cudnn_applies`.
        sequences: `(batch, timesteps, features)`.
        initial_state: Initial states, each `(batch, units)`.
        mask: None, or on JAX bools `(batch, timesteps)`.
        go_backwards: Whether to start at the last time step.
        zero_output_for_mask: Whether the outputs of masked steps are zeros.
        return_sequences: Whether all outputs are needed.

    Raises:
        NotImplementedError: If cuDNN cannot be used for these inputs.
    """
    if keras.backend.backend() == "jax":
        # Not by Keras, which has no mask there and returns outputs in order of time.
        return cudnn_jax.lstm_scan(
            cell, sequences, initial_state, mask, go_backwards, zero_output_for_mask
        )
    run = backend.lstm if isinstance(cell, LSTMCell) else backend.gru
    options = {} if isinstance(cell, LSTMCell) else {"reset_after": True}
    last_output, outputs, states = run(
        sequences,
        *initial_state,  # one argument per state: two of an LSTM, one of a GRU
        None,  # no mask
        kernel=keras.ops.convert_to_tensor(cell.kernel),
        recurrent_kernel=keras.ops.convert_to_tensor(cell.recurrent_kernel),
        bias=keras.ops.convert_to_tensor(cell.bias),
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
        return_sequences=return_sequences,
        go_backwards=go_backwards,
        **options,
    )
    return last_output, outputs, list(states)

"""LSTM and GRU on the cuDNN kernels of NVIDIA GPUs, called as Keras's layers call them."""

from typing import Any

import keras

from keras_seq._internal.keras_compat import backend
from keras_seq._internal.types import States, Tensor
from keras_seq.cells import GRUCell, LSTMCell


def cudnn_applies(cell: Any, unroll: bool = False) -> bool:
    """Return whether a GPU is present and cuDNN computes the equations of a cell.

    Masked sequences do not run on cuDNN: its outputs at masked steps differ from those of the
    general loop, and fully masked rows fail (tensorflow/tensorflow 36139, 60192).

    Args:
        cell: Recurrent cell.
        unroll: Whether the loop is unrolled, which cuDNN does not support.
    """
    cudnn_ok = getattr(backend, "cudnn_ok", None)
    if type(cell) not in (LSTMCell, GRUCell) or cudnn_ok is None:
        return False
    if cell.recurrent_dropout or not getattr(cell, "reset_after", True):
        return False
    return bool(cudnn_ok(cell.activation, cell.recurrent_activation, unroll, cell.use_bias))


def cudnn_scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    go_backwards: bool,
    return_sequences: bool,
) -> tuple[Tensor, Tensor, States]:
    """Run a cell over a sequence, as `keras_seq.scan.scan` does without a mask.

    Args:
        cell: Cell to which `cudnn_applies`.
        sequences: `(batch, timesteps, features)`.
        initial_state: Initial states, each `(batch, units)`.
        go_backwards: Whether to start at the last time step.
        return_sequences: Whether all outputs are needed.

    Raises:
        NotImplementedError: If Keras cannot use cuDNN for these inputs.
    """
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

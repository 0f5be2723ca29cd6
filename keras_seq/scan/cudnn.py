"""LSTM and GRU on an NVIDIA GPU: cuDNN's kernels, by the calls that Keras's layers make."""

import keras

from keras_seq._internal.keras_compat import backend
from keras_seq.cells import GRUCell, LSTMCell


def cudnn_applies(cell, unroll=False):
    """Whether cuDNN computes the equations of this cell, and a GPU is there to do it.

    Masks are left to the other ways: cuDNN's outputs at masked steps are not those of the
    general loop, and rows masked as a whole fail (tensorflow/tensorflow 36139, 60192).
    """
    cudnn_ok = getattr(backend, "cudnn_ok", None)
    if type(cell) not in (LSTMCell, GRUCell) or cudnn_ok is None:
        return False
    if cell.recurrent_dropout or not getattr(cell, "reset_after", True):
        return False
    return bool(cudnn_ok(cell.activation, cell.recurrent_activation, unroll, cell.use_bias))


def cudnn_scan(cell, sequences, initial_state, go_backwards, return_sequences):
    """As `keras_seq.scan.scan`, without masks, for a cell to which `cudnn_applies`.

    Raises:
        NotImplementedError: Keras found no way to cuDNN after all.
    """
    run = backend.lstm if isinstance(cell, LSTMCell) else backend.gru
    # None: no mask. GRU's call takes one state, LSTM's two, each as an argument of its own.
    extra = {} if isinstance(cell, LSTMCell) else {"reset_after": True}
    last_output, outputs, states = run(
        sequences,
        *initial_state,
        None,
        kernel=keras.ops.convert_to_tensor(cell.kernel),
        recurrent_kernel=keras.ops.convert_to_tensor(cell.recurrent_kernel),
        bias=keras.ops.convert_to_tensor(cell.bias),
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
        return_sequences=return_sequences,
        go_backwards=go_backwards,
        **extra,
    )
    return last_output, outputs, list(states)

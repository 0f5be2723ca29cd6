"""Scans in SavedModels: operations that every TensorFlow has, and as few as possible.

The fast path is not portable, since XLA compiles it. The LSTM with and without diagonal peepholes
runs as `BlockLSTMV2`, TensorFlow's operator for all time steps. Other cells run in a loop over
blocks of steps.
"""

from typing import Any

import keras
import numpy as np

from keras_seq import cells
from keras_seq._internal.types import States, Tensor
from keras_seq.scan.general import output_size, prepare_loop
from keras_seq.scan.passes import PASSES, cell_weights
from keras_seq.scan.time_major import TimeMajor
from keras_seq.scan.unrolled import unrolled_loop

MAX_CONSTANT_BYTES = 2**26
"""Size of the weights up to which the graph contains them, since its file is limited to 2 GB."""


def exported_scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> tuple[Tensor, Tensor, States]:
    """Run a cell over a sequence, in inference on TensorFlow.

    The arguments and the results are those of `keras_seq.scan.scan`.
    """
    if has_operator(cell, sequences):
        layout = TimeMajor(sequences, mask, go_backwards)
        outputs, *states = _run_operator(cell, layout, initial_state)
    else:
        projected, initial_state, step = prepare_loop(cell, sequences, initial_state, None, False)
        layout = TimeMajor(projected, mask, go_backwards)
        outputs, *states = _run_loop(cell, step, layout, initial_state)
    final_states = [layout.final_state(*pair) for pair in zip(states, initial_state, strict=True)]
    if return_sequences:
        results = layout.outputs(outputs, zero_output_for_mask)
        return results[:, -1], results, final_states
    last = layout.last_output(outputs, zero_output_for_mask)
    return last, last[:, None], final_states


def has_operator(cell: Any, sequences: Tensor) -> bool:
    """Return whether `BlockLSTMV2` computes the equations of a cell.

    Args:
        cell: Recurrent cell.
        sequences: `(batch, timesteps, features)`.
    """
    return (
        type(cell) in (cells.LSTMCell, cells.DiagonalPeepholeLSTMCell)
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        # It exists in float16 too, but the general loop rounds differently.
        and keras.backend.standardize_dtype(sequences.dtype) == "float32"
    )


def _run_operator(cell: Any, layout: TimeMajor, states: States) -> list[Tensor]:
    """Return the outputs, h and c of all steps from `BlockLSTMV2`, `(timesteps, batch, units)`.

    Its gates have Keras's order i, f, c, o. It does not clip with `cell_clip=0`.
    """
    import tensorflow as tf

    h, c = states
    x = layout.inputs()
    weights, bias, peepholes = _operator_weights(cell, x.dtype)
    w_i, w_f, w_o = peepholes or [tf.zeros((cell.units,))] * 3
    results = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.cast(layout.num_steps, tf.int64),
        x=x,
        cs_prev=c,
        h_prev=h,
        w=weights,
        wci=w_i,
        wcf=w_f,
        wco=w_o,
        b=bias,
        cell_clip=0,
        use_peephole=bool(peepholes),
    )
    return [results.h, results.h, results.cs]


def _operator_weights(cell: Any, dtype: Any) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Return both kernels in one tensor, the bias and the peepholes.

    The kernels become a constant, unless they are large. To join them in each call would take a
    sixth of the time of 36 steps.
    """
    import tensorflow as tf

    kernel, recurrent_kernel, bias, *peepholes = cell_weights(cell, dtype)
    if 4 * kernel.shape[1] * (kernel.shape[0] + cell.units) > MAX_CONSTANT_BYTES:
        return tf.concat([kernel, recurrent_kernel], axis=0), bias, peepholes
    with tf.init_scope(), keras.StatelessScope():
        kernels = [keras.ops.convert_to_numpy(w) for w in (cell.kernel, cell.recurrent_kernel)]
    return tf.constant(np.concatenate(kernels), dtype), bias, peepholes


def _run_loop(cell: Any, step: Any, layout: TimeMajor, states: States) -> list[Tensor]:
    """Return the outputs and states of all steps from a loop, each `(timesteps, batch, n)`."""
    returns_state = type(cell) in PASSES

    def loop_step(carry: Any, elements: Any) -> tuple[Any, Any]:
        output, new_states = step(elements[0], list(carry))
        return tuple(new_states), (*([] if returns_state else [output]), *new_states)

    stacks = [(state.shape[1:], state.dtype) for state in states]
    inputs = layout.inputs()[: layout.num_steps]
    if not returns_state:
        stacks.insert(0, ((output_size(cell),), inputs.dtype))
    results = unrolled_loop(loop_step, tuple(states), [inputs], stacks)
    return [*results[:1] * returns_state, *results]

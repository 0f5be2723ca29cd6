"""Conversion of weights of TensorFlow Addons to layers of this package.

TensorFlow Addons cannot be imported together with Keras 3. `docs/guides/from_addons.md` shows how
to save its weights as arrays in a separate environment. These functions take the arrays.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_seq import cells, layers
from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Activation
from keras_seq.scan.general import output_size


def convert_peephole_lstm(
    weights: Sequence[ArrayLike], **arguments: Any
) -> cells.DiagonalPeepholeLSTMCell:
    """Convert a `tfa.rnn.PeepholeLSTMCell` to a cell for any recurrent layer.

    Args:
        weights: `get_weights()` of the cell: kernel, recurrent kernel, optional bias, and peepholes
            of the input, forget and output gates.
        **arguments: Further arguments of the cell, such as `activation`.

    Raises:
        InputError: If there are not five or six arrays.
    """
    if len(weights) not in (5, 6):
        raise InputError(
            f"A PeepholeLSTMCell has 6 weights, or 5 without a bias, got {len(weights)}."
        )
    features, columns = np.shape(weights[0])
    use_bias = len(weights) == 6
    cell = cells.DiagonalPeepholeLSTMCell(columns // 4, use_bias=use_bias, **arguments)
    cell.build((None, features))
    cell.set_weights(weights)
    return cell


def convert_crf(
    chain_kernel: ArrayLike,
    left_boundary: ArrayLike | None = None,
    right_boundary: ArrayLike | None = None,
    kernel: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    **arguments: Any,
) -> layers.CRF:
    """Convert a `tfa.layers.CRF`, or `transition_params` of `tfa.text`, to a layer.

    Args:
        chain_kernel: Transition scores, `(from tag, to tag)`.
        left_boundary: Scores of the first tag `(units,)`; None with `use_boundary=False`.
        right_boundary: Scores of the last tag `(units,)`; None with `use_boundary=False`.
        kernel: Kernel of the dense layer `(features, units)`; None with `use_kernel=False`.
        bias: Bias of the dense layer `(units,)`; None with `use_bias=False`.
        **arguments: Further arguments of `keras_seq.layers.CRF`.
    """
    units = len(np.asarray(chain_kernel))
    features = units if kernel is None else len(np.asarray(kernel))
    crf = layers.CRF(units, use_kernel=kernel is not None, **arguments)
    crf.build((None, None, features))
    for weight, array in (
        (crf.transitions, chain_kernel),
        (crf.start, left_boundary),
        (crf.end, right_boundary),
        *([(crf.kernel, kernel), (crf.bias, bias)] if kernel is not None else []),
    ):
        weight.assign(np.zeros(weight.shape) if array is None else array)
    return crf


def convert_attention(
    cell: keras.layers.Layer,
    cell_weights: Sequence[ArrayLike],
    memory_kernel: ArrayLike,
    query_kernel: ArrayLike | None = None,
    attention_v: ArrayLike | None = None,
    attention_g: ArrayLike | None = None,
    attention_b: ArrayLike | None = None,
    attention_kernel: ArrayLike | None = None,
    attention_activation: Activation = None,
) -> tuple[layers.AttentionDecoderCell, keras.layers.Dense]:
    """Convert a `tfa.seq2seq.AttentionWrapper` of one attention mechanism to a decoder cell.

    The second result computes the keys of the memory, once per sequence:

        decoder_cell, to_keys = convert_attention(...)
        states = decoder_cell.initial_state(memory, to_keys(memory), mask)

    Args:
        cell: Cell of the same class and size as the wrapped one, from `keras_seq.cells` or Keras.
        cell_weights: `get_weights()` of the wrapped cell.
        memory_kernel: Kernel of the `memory_layer`, `(features, key units)`.
        query_kernel: Kernel of the `query_layer`, `(units of the cell, key units)`; None for
            `LuongAttention`.
        attention_v: Weight `attention_v` of `BahdanauAttention`, `(key units,)`; None for
            `LuongAttention`.
        attention_g: Scalar `attention_g`; None without `normalize=True` or `scale=True`.
        attention_b: Weight `attention_b`, `(key units,)`; None without `normalize=True`.
        attention_kernel: Kernel of the `attention_layer`, `(units of the cell + features, n)`. None
            without such a layer; the context itself is then the attention.
        attention_activation: Activation of the `attention_layer`.

    Returns:
        The cell, and the Dense layer that computes keys from the memory.

    Raises:
        InputError: If only one of `query_kernel` and `attention_v` is given.
    """
    if (query_kernel is None) != (attention_v is None):
        name = "attention_v" if query_kernel is None else "query_kernel"
        raise InputError(f"Pass both query_kernel and attention_v, or neither; got only {name}.")
    memory_kernel = np.asarray(memory_kernel)
    memory_units, key_units = memory_kernel.shape
    output_units = output_size(cell)
    if attention_kernel is None:
        combine = np.eye(output_units + memory_units, memory_units, -output_units)
    else:
        combine = np.asarray(attention_kernel)
    attention = layers.AttentionDecoderCell(
        cell,
        "dot" if attention_v is None else "additive",
        units=combine.shape[1],
        input_feeding=True,
        memory_units=memory_units,
        activation=attention_activation,
        key_units=key_units,
    )
    attention.build((None, len(np.asarray(cell_weights[0])) - combine.shape[1]))
    attention.cell.set_weights(cell_weights)
    # The rows are [output; context] in TensorFlow Addons, [context; output] here.
    attention.combine.kernel.assign(
        np.concatenate([combine[output_units:], combine[:output_units]])
    )
    g = 1.0 if attention_g is None else np.asarray(attention_g)
    if attention_v is None:
        memory_kernel = g * memory_kernel
    else:
        query: Any = attention.query
        query.kernel.assign(query_kernel)
        norm = 1.0 if attention_g is None else np.linalg.norm(attention_v)
        attention.attention.scale.assign(g / norm * np.asarray(attention_v))
    to_keys = keras.layers.Dense(key_units, use_bias=attention_b is not None, name="keys")
    to_keys.build((None, None, memory_units))
    to_keys.set_weights([memory_kernel, *([] if attention_b is None else [attention_b])])
    return attention, to_keys

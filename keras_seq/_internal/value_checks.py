"""Checks of the values of tensors, also where these are known only when a graph runs."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.tensorflow_compat import under_xla


def check_valid(valid: Any, values: Any, message: str) -> None:
    """Refuse values that are not valid, naming the first of them.

    In a graph of TensorFlow, and in a compiled function of JAX, the check is a part of the program;
    the sentence is then in the error of the backend. A program that XLA compiles for TensorFlow, or
    that `torch.compile` does, holds no checks.

    Args:
        valid: Bools `(rows, columns)`.
        values: Integers `(rows, columns)`.
        message: The error's text, with `{}` for the value, its row and its column.

    Raises:
        InputError: If a value is not valid.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and _in_tensorflow_graph(valid):
        if not under_xla():
            _require_in_tensorflow_graph(valid, values, message)
    elif backend == "jax" and _is_traced_by_jax(valid):
        _require_in_jax(valid, values, message)
    elif backend != "torch" or not _is_compiled_by_torch():
        _raise_unless(ops.convert_to_numpy(valid), ops.convert_to_numpy(values), message)


def _raise_unless(valid, values, message):
    if not valid.all():
        row, column = (int(index) for index in np.argwhere(~valid)[0])
        raise InputError(message.format(int(values[row, column]), row, column))


def _in_tensorflow_graph(tensor):
    import tensorflow as tf

    return tf.is_symbolic_tensor(tensor)


def _require_in_tensorflow_graph(valid, values, message):
    import tensorflow as tf

    def fail():
        place = tf.where(~valid)[0]
        inputs = [tf.gather_nd(values, place), place[0], place[1]]
        return tf.debugging.Assert(False, [tf.strings.format(message, inputs)])

    tf.cond(tf.reduce_all(valid), tf.no_op, fail)


def _is_traced_by_jax(array):
    import jax

    return isinstance(array, jax.core.Tracer)


def _require_in_jax(valid, values, message):
    import jax

    def check(valid, values):
        _raise_unless(np.asarray(valid), np.asarray(values), message)

    def fail(*arrays):
        jax.debug.callback(check, *arrays)

    # Nothing leaves the device unless there is something to say.
    jax.lax.cond(ops.all(valid), lambda *arrays: None, fail, valid, values)


def _is_compiled_by_torch():
    import torch

    return torch.compiler.is_compiling()

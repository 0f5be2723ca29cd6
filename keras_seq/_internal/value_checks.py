"""Checks of the values of tensors, also within graphs and compiled functions."""

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import in_symbolic_scope
from keras_seq._internal.tensorflow_compat import under_xla
from keras_seq._internal.types import Array, Tensor


def check_valid(is_valid: Tensor, values: Tensor, message: str) -> None:
    """Raise an error for the first invalid value.

    In a TensorFlow graph or a compiled function of JAX, the check is part of the program. The
    backend then raises an error with the message. Programs of `jit_compile=True` on TensorFlow and
    of `torch.compile` contain no checks.

    Args:
        is_valid: Bools of any shape with at least one axis.
        values: Integers of the same shape.
        message: Message with `{}` for the value, and for its index in each axis.

    Raises:
        InputError: If a value is invalid.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and _is_in_tensorflow_graph(is_valid):
        if not under_xla():
            _check_in_tensorflow_graph(is_valid, values, message)
    elif backend == "jax" and _is_traced_by_jax(is_valid):
        _check_in_jax(is_valid, values, message)
    elif backend != "torch" or not (_is_compiled_by_torch() or in_symbolic_scope()):
        _raise_unless(ops.convert_to_numpy(is_valid), ops.convert_to_numpy(values), message)


def _raise_unless(is_valid: Array, values: Array, message: str) -> None:
    if not is_valid.all():
        index = tuple(np.argwhere(~is_valid)[0].tolist())
        raise InputError(message.format(int(values[index]), *index))


def _is_in_tensorflow_graph(tensor: Tensor) -> bool:
    import tensorflow as tf

    return tf.is_symbolic_tensor(tensor)


def _check_in_tensorflow_graph(is_valid: Tensor, values: Tensor, message: str) -> None:
    import tensorflow as tf

    def fail() -> Tensor:
        index = tf.where(~is_valid)[0]
        inputs = [tf.gather_nd(values, index), *tf.unstack(index, num=is_valid.shape.rank)]
        return tf.debugging.Assert(False, [tf.strings.format(message, inputs)])

    tf.cond(tf.reduce_all(is_valid), tf.no_op, fail)


def _is_traced_by_jax(array: Tensor) -> bool:
    import jax

    return isinstance(array, jax.core.Tracer)


def _check_in_jax(is_valid: Tensor, values: Tensor, message: str) -> None:
    import jax

    def check(is_valid: Tensor, values: Tensor) -> None:
        _raise_unless(np.asarray(is_valid), np.asarray(values), message)

    def fail(*arrays: Tensor) -> None:
        jax.debug.callback(check, *arrays)

    # Without an invalid value, no data leaves the device.
    jax.lax.cond(ops.all(is_valid), lambda *_: None, fail, is_valid, values)


def _is_compiled_by_torch() -> bool:
    import torch

    return torch.compiler.is_compiling()

"""Replacements for Keras operations that ONNX and LiteRT cannot compute."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_seq._internal import keras_compat
from keras_seq._internal.portable import argmax
from keras_seq._internal.types import Tensor
from keras_seq.tracing.hooks import patched_method


@contextlib.contextmanager
def portable_argmax(model: keras.Model) -> Iterator[None]:
    """Replace `ops.argmax` in functional models, within a `with` block.

    Keras's operation reads the bits of floats to tell 0.0 from -0.0, which ONNX and LiteRT cannot
    do.

    Args:
        model: Built model, including functional models inside it.
    """
    with contextlib.ExitStack() as stack:
        for layer in keras_compat.flatten_layers(model):
            operations = getattr(layer, "operations", ()) if isinstance(layer, keras.Model) else ()
            for operation in operations:
                if isinstance(operation, keras_compat.Argmax):
                    stack.enter_context(patched_method(operation, "call", _make_call(operation)))
        yield


def _make_call(operation: Any) -> Callable[..., Any]:
    """Return a function from Keras's `call` of an Argmax operation to the portable one."""

    def call(x: Tensor) -> Tensor:
        if operation.axis is not None:
            return argmax(x, operation.axis, operation.keepdims)
        best = argmax(keras.ops.reshape(x, (-1,)))
        return keras.ops.reshape(best, (1,) * len(x.shape)) if operation.keepdims else best

    return lambda _: call

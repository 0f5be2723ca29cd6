"""Operations of Keras in a functional model that ONNX and LiteRT cannot compute."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_seq._internal import keras_compat
from keras_seq._internal.portable import argmax
from keras_seq.tracing.hooks import patched_method


@contextlib.contextmanager
def portable_operations(model: keras.Model) -> Iterator[None]:
    """Let `ops.argmax` in functional models ignore the sign of zero, within a `with` block.

    Keras reads it from the bits of a number, which ONNX and LiteRT cannot do.

    Args:
        model: Built model; functional models within it count too.
    """
    with contextlib.ExitStack() as stack:
        for layer in keras_compat.flatten_layers(model):
            operations = getattr(layer, "operations", ()) if isinstance(layer, keras.Model) else ()
            for operation in operations:
                if isinstance(operation, keras_compat.Argmax):
                    stack.enter_context(patched_method(operation, "call", _make_call(operation)))
        yield


def _make_call(operation: Any) -> Any:
    def call(x: Any) -> Any:
        if operation.axis is not None:
            return argmax(x, operation.axis, operation.keepdims)
        best = argmax(keras.ops.reshape(x, (-1,)))
        return keras.ops.reshape(best, (1,) * len(x.shape)) if operation.keepdims else best

    return lambda _: call

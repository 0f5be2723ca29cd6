"""Models of mixed precision for formats that compute in float32."""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_seq._internal import keras_compat

HALVES = ("float16", "bfloat16")


@contextlib.contextmanager
def in_float32(model: Any) -> Iterator[list[str]]:
    """Let the layers of a model that compute in 16 bits do so in 32, within a `with` block.

    ONNX Runtime and LiteRT have many operators in float32 only.

    Args:
        model: A `keras.Model`.

    Yields:
        The names of the dtype policies that those layers have otherwise.
    """
    policies = {
        layer: layer.dtype_policy
        for layer in keras_compat.flatten_layers(model)
        # A quantized layer has its own arithmetic.
        if layer.compute_dtype in HALVES and layer.quantization_mode is None
    }
    for layer in policies:
        layer.dtype_policy = "float32"
    try:
        # So that weights of 16 bits are cast too.
        with keras_compat.AutocastScope("float32") if policies else contextlib.nullcontext():
            yield sorted({policy.name for policy in policies.values()})
    finally:
        for layer, policy in policies.items():
            layer.dtype_policy = policy

"""Models of mixed precision for formats that compute in float32."""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras.src.backend import AutocastScope  # Keras exports no name for it

HALVES = ("float16", "bfloat16")


@contextlib.contextmanager
def in_float32(model: Any) -> Iterator[list[str]]:
    """Within this context the layers of a model that compute in 16 bits do so in 32.

    ONNX Runtime and LiteRT have many operators in float32 only.

    Args:
        model: A `keras.Model`.

    Yields:
        The names of the dtype policies that those layers have otherwise.
    """
    policies = {
        layer: layer.dtype_policy
        for layer in model._flatten_layers()
        # A quantized layer has its own arithmetic.
        if layer.compute_dtype in HALVES and layer.quantization_mode is None
    }
    for layer in policies:
        layer.dtype_policy = "float32"
    try:
        # So that weights of 16 bits are cast too.
        with AutocastScope("float32") if policies else contextlib.nullcontext():
            yield sorted({policy.name for policy in policies.values()})
    finally:
        for layer, policy in policies.items():
            layer.dtype_policy = policy

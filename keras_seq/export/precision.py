"""Float32 computation of mixed-precision models during an export."""

import contextlib
from collections.abc import Iterator

import keras

from keras_seq._internal import keras_compat

HALF_PRECISION_DTYPES = ("float16", "bfloat16")


@contextlib.contextmanager
def in_float32(model: keras.Model) -> Iterator[list[str]]:
    """Replace 16-bit dtype policies by float32, within a `with` block.

    ONNX Runtime and LiteRT support many operators in float32 only.

    Args:
        model: Built model.

    Yields:
        Names of the replaced policies.
    """
    policies = {
        layer: layer.dtype_policy
        for layer in keras_compat.flatten_layers(model)
        # Quantized layers keep their own arithmetic.
        if layer.compute_dtype in HALF_PRECISION_DTYPES and layer.quantization_mode is None
    }
    for layer in policies:
        layer.dtype_policy = "float32"
    try:
        # The scope casts weights of 16 bits as well.
        with keras_compat.AutocastScope("float32") if policies else contextlib.nullcontext():
            yield sorted({policy.name for policy in policies.values()})
    finally:
        for layer, policy in policies.items():
            layer.dtype_policy = policy

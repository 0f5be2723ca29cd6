"""Export to LiteRT, the runtime for mobile and embedded devices."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import exporting_to, implement
from keras_seq._internal.types import Array, Tensor
from keras_seq.export.checks import require_module, require_tensorflow
from keras_seq.export.signatures import Endpoint
from keras_seq.export.tensor_files import export_all, with_constants
from keras_seq.export.verification import Runner
from keras_seq.layers import BigramLookup

REMEDIES = {"BitwiseAnd": "Keras's ops.argmax and ops.argmin of floats need it: use tf.argmax."}
"""Hints for the error message, by an operation that LiteRT lacks."""


def litert(
    model: keras.Model, path: str | os.PathLike[str], examples: Any = None
) -> dict[str, Any]:
    """Export the tensor signatures of a model to LiteRT, each endpoint as a file `NAME.tflite`.

    The files take one example of any length per call, and use built-in operators of LiteRT only.

    Args:
        model: Built model, see `keras_seq.export.onnx`.
        path: Folder to write.
        examples: Examples to verify the export on, see `keras_seq.export.onnx`.

    Returns:
        Report, see `keras_seq.export.onnx`. Latencies are those of LiteRT's interpreter.

    Raises:
        InputError: If the export fails, see `keras_seq.export.onnx`.
    """
    require_tensorflow("LiteRT")
    require_module("ai_edge_litert.interpreter")
    return export_all(model, path, examples, _write, adapt=_with_batch_size_one)


def _with_batch_size_one(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint for batches of one."""
    import tensorflow as tf

    signature = [
        tf.TensorSpec([1, *spec.shape[1:]] if spec.shape.rank else [], spec.dtype, spec.name)
        for spec in endpoint.signature
    ]
    batches = [[np.asarray(a) for a in arguments] for arguments in endpoint.examples]
    first, last = ([a[:1] if a.ndim else a for a in batches[0]], batches[-1])
    num_rows = max((len(array) for array in last if array.ndim), default=0)
    single = [[a[row : row + 1] if a.ndim else a for a in last] for row in range(num_rows)]
    return endpoint._replace(signature=signature, examples=[first, *single])


def _convert(model: keras.Model, endpoint: Endpoint) -> bytes:
    """Return the content of a LiteRT file."""
    import tensorflow as tf

    function = with_constants(model, endpoint.function)
    traced = tf.function(function, autograph=False, input_signature=endpoint.signature)
    with exporting_to("litert"):
        concrete = traced.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    try:
        return converter.convert()
    except Exception as error:  # the converter raises `Exception` itself
        message = str(error).strip()
        remedies = [f" {remedy}" for name, remedy in REMEDIES.items() if f"tf.{name}" in message]
        reason = message.split("\n")[0]
        raise InputError(f"LiteRT cannot run {model.name}: {reason}{''.join(remedies)}") from error


def _write(model: keras.Model, endpoint: Endpoint, path: Path) -> Runner:
    """Write an endpoint, and return a function that runs it in LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    file = path.with_suffix(".tflite")
    file.write_bytes(_convert(model, endpoint))
    runner = Interpreter(str(file)).get_signature_runner()
    input_names = runner.get_input_details()

    def run(*arguments: Any) -> dict[str, Array]:
        pairs = zip(endpoint.signature, arguments, strict=True)
        return runner(**{spec.name: np.asarray(a) for spec, a in pairs if spec.name in input_names})

    return run


@implement(BigramLookup.lookup, "litert")
def lookup_by_bisection(bigrams: BigramLookup, keys: Tensor) -> Tensor:
    """Compute `BigramLookup.lookup` by bisection, since LiteRT has no search operator.

    Args:
        bigrams: Layer with the known bigrams.
        keys: int32 keys of bigrams, of any shape.
    """
    known = np.append(bigrams.keys, np.int32(-1))  # sentinel after the last key
    low, high = ops.zeros_like(keys), ops.full_like(keys, len(bigrams.keys))
    for _ in range(len(bigrams.keys).bit_length()):
        middle = (low + high) // 2
        is_less = (low < high) & (ops.take(known, middle) < keys)
        low, high = ops.where(is_less, middle + 1, low), ops.where(is_less, high, middle)
    return ops.where(ops.take(known, low) == keys, low + 1, 0)

"""Models for LiteRT, the runtime of small devices."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.export_target import exporting_to, implement
from keras_seq.export.checks import require_module, require_tensorflow
from keras_seq.export.signatures import Endpoint
from keras_seq.export.tensor_files import export_all, with_constants
from keras_seq.export.verification import Runner
from keras_seq.layers import BigramLookup

REMEDIES = {"BitwiseAnd": "Keras's ops.argmax and ops.argmin of floats need it: use tf.argmax."}
"""Operation that LiteRT lacks to what can be done about it."""


def litert(model: keras.Model, path: str | Path, examples: Any = None) -> dict[str, Any]:
    """Export a model from numbers to numbers for LiteRT, each endpoint a file `NAME.tflite`.

    It answers one example at a time, of any length, and needs the operators that LiteRT has built
    in, no others. `metadata.json` beside is as of `onnx`.

    Args:
        model, path, examples: As of `keras_seq.export.onnx`.

    Returns:
        Report, as of `keras_seq.export.onnx`; the milliseconds are those of LiteRT's interpreter.

    Raises:
        InputError: As of `keras_seq.export.onnx`.
    """
    require_tensorflow("LiteRT")
    require_module("ai_edge_litert.interpreter")
    return export_all(model, path, examples, _write, adapt=_one_by_one)


def _one_by_one(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint for batches of one."""
    import tensorflow as tf

    signature = [
        tf.TensorSpec([1, *spec.shape[1:]] if spec.shape.rank else [], spec.dtype, spec.name)
        for spec in endpoint.signature
    ]
    batches = [[np.asarray(a) for a in arguments] for arguments in endpoint.examples]
    first, last = ([a[:1] if a.ndim else a for a in batches[0]], batches[-1])
    rows = max((len(array) for array in last if array.ndim), default=0)
    single = [[a[row : row + 1] if a.ndim else a for a in last] for row in range(rows)]
    return endpoint._replace(signature=signature, examples=[first, *single])


def _convert(model: keras.Model, endpoint: Endpoint) -> bytes:
    """Return the content of a file for LiteRT."""
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
    """Write an endpoint, and return what runs it in LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    file = path.with_suffix(".tflite")
    file.write_bytes(_convert(model, endpoint))
    runner = Interpreter(str(file)).get_signature_runner()
    known = runner.get_input_details()

    def run(*arguments: Any) -> dict[str, Any]:
        pairs = zip(endpoint.signature, arguments, strict=True)
        return runner(**{spec.name: np.asarray(a) for spec, a in pairs if spec.name in known})

    return run


@implement(BigramLookup.lookup, "litert")
def bigrams_by_halving(bigrams: BigramLookup, keys: Any) -> Any:
    """Look up bigrams as `BigramLookup.lookup` does, by bisection: LiteRT has no search.

    Args:
        bigrams: Layer with the known pairs.
        keys: Keys of bigrams, see `BigramLookup.lookup`.
    """
    known = np.append(bigrams.keys, np.int32(-1))  # where the search ends at the latest
    low, high = ops.zeros_like(keys), ops.full_like(keys, len(bigrams.keys))
    for _ in range(len(bigrams.keys).bit_length()):
        middle = (low + high) // 2
        less = (low < high) & (ops.take(known, middle) < keys)
        low, high = ops.where(less, middle + 1, low), ops.where(less, high, middle)
    return ops.where(ops.take(known, low) == keys, low + 1, 0)

"""Models for LiteRT, the runtime of small devices."""

import contextlib

import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.export import verification as ends
from keras_seq.layers import Bigrams
from keras_seq.scan import compiled
from keras_seq.tracing.hooks import replaced


def litert(model, path, examples=None):
    """Exports a model from numbers to numbers for LiteRT, each endpoint a file `NAME.tflite`.

    It answers one example at a time, of any length, and needs the operators that LiteRT has built
    in, no others. `tables.json` beside is as of `onnx`.

    Args:
        model, path, examples: As `onnx` takes them.

    Returns:
        Report, as `onnx` does; the milliseconds are those of LiteRT's interpreter.

    Raises:
        InputError: As `onnx` does.
    """
    ends.check_backend("LiteRT")
    ends.imported("ai_edge_litert.interpreter")
    return ends.written(model, path, examples, _write, fitted=_one_by_one)


def _one_by_one(endpoint):
    """The endpoint for batches of one."""
    import tensorflow as tf

    signature = [
        tf.TensorSpec([1, *spec.shape[1:]] if spec.shape.rank else [], spec.dtype, spec.name)
        for spec in endpoint.signature
    ]
    batches = [[np.asarray(a) for a in arguments] for arguments in endpoint.examples]
    first, last = ([a[:1] if a.ndim else a for a in batches[0]], batches[-1])
    rows = max((len(array) for array in last if array.ndim), default=0)
    parts = [[a[row : row + 1] if a.ndim else a for a in last] for row in range(rows)]
    return endpoint._replace(signature=signature, examples=[first, *parts])


def _converted(model, endpoint):
    """The bytes of a file for LiteRT."""
    import tensorflow as tf

    function = ends.with_constants(model, endpoint.function)
    traced = tf.function(function, autograph=False, input_signature=endpoint.signature)
    with compiled.portable(), ends.plain_argmax(), _without_search(model):
        concrete = traced.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    try:
        return converter.convert()
    except Exception as error:  # of the converter alone, which raises `Exception` itself
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"LiteRT cannot run {model.name}: {reason}") from error


def _write(model, endpoint, path):
    """Writes an endpoint; returns what runs it in LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    file = path.with_suffix(".tflite")
    file.write_bytes(_converted(model, endpoint))
    runner = Interpreter(str(file)).get_signature_runner()
    known = runner.get_input_details()

    def run(*arguments):
        pairs = zip(endpoint.signature, arguments, strict=True)
        return runner(**{spec.name: np.asarray(a) for spec, a in pairs if spec.name in known})

    return run


@contextlib.contextmanager
def _without_search(model):
    """Within this context pairs of tokens are looked for by halving, since LiteRT cannot search."""

    def halving(layer):
        known = np.append(layer.codes, np.int32(-1))  # where the search ends at the latest

        def numbers(codes):
            low, high = ops.zeros_like(codes), ops.full_like(codes, len(layer.codes))
            for _ in range(len(layer.codes).bit_length()):
                middle = (low + high) // 2
                less = (low < high) & (ops.take(known, middle) < codes)
                low, high = ops.where(less, middle + 1, low), ops.where(less, high, middle)
            return ops.where(ops.take(known, low) == codes, low + 1, 0)

        return numbers

    with contextlib.ExitStack() as stack:
        for layer in model._flatten_layers():
            if isinstance(layer, Bigrams):
                stack.enter_context(replaced(layer, "numbers", lambda _, own=layer: halving(own)))
        yield

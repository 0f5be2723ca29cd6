"""Models as graphs of ONNX, in which recurrent layers are its own recurrent operators."""

import functools
from pathlib import Path
from typing import Any

import keras

from keras_seq.export.checks import require_module, require_tensorflow
from keras_seq.export.signatures import Endpoint
from keras_seq.export.tensor_files import export_all, with_constants
from keras_seq.export.verification import Runner


def onnx(
    model: keras.Model, path: str | Path, examples: Any = None, portable: bool = False
) -> dict[str, Any]:
    """Export a model from numbers to numbers as ONNX, each endpoint a file `NAME.onnx`.

    LSTMs with and without diagonal peepholes, GRUs and simple recurrent layers become the operators
    `LSTM`, `GRU` and `RNN`, both halves of a Bidirectional layer one of them; all other cells and
    the CRF become `Scan`. Masks may be False anywhere. `metadata.json` beside them has what a text
    becomes numbers by, and numbers become words by.

    Args:
        model: Model of `keras_seq.models`, any functional `keras.Model`, or one of a class that has
            an adapter, see `keras_seq.export.register`.
        path: Folder to write.
        examples: What to compare the exported with the original on: lists of tokens, recordings or
            clips for a model of `keras_seq.models`; for other models inputs, a batch. They are made
            up if not given, where the inputs are floats, bools, or ids that an `Embedding` reads.
        portable: Whether to avoid what OpenVINO or onnx.reference compute wrongly: layers with
            masks, peepholes or other activations than the default become `Scan` then, which is
            slower.

    Returns:
        Report: the endpoints by name, the largest difference seen, the milliseconds that ONNX
        Runtime takes for one example, and warnings: a sentence for each thing that another
        runtime is known to compute wrongly.
        For a model in mixed precision also "precision": what is exported computes in float32, and
        is compared with the model in float32.

    Raises:
        InputError: If the backend is not TensorFlow, the path exists, the model cannot be exported,
            or what was exported gives other numbers.
    """
    require_tensorflow("ONNX")
    require_module("onnxruntime")
    warnings: set[str] = set()
    write = functools.partial(_write, portable=portable, warnings=warnings)
    report = export_all(model, path, examples, write)
    return report | {"warnings": sorted(warnings)}


def _write(
    model: keras.Model, endpoint: Endpoint, path: Path, portable: bool, warnings: set[str]
) -> Runner:
    """Write an endpoint, add to the warnings, and return what runs it in ONNX Runtime."""
    import onnxruntime

    file = path.with_suffix(".onnx")
    graph, new_warnings = _convert(model, endpoint, portable)
    warnings |= new_warnings
    file.write_bytes(graph.SerializeToString())
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    known = {value.name for value in session.get_inputs()}

    def run(*arguments: Any) -> dict[str, Any]:
        pairs = zip(endpoint.signature, arguments, strict=True)
        # What an answer does not depend on is no input of the graph.
        inputs = {
            spec.name: keras.ops.convert_to_numpy(a) for spec, a in pairs if spec.name in known
        }
        return dict(zip(names, session.run(names, inputs), strict=True))

    return run


def _convert(model: keras.Model, endpoint: Endpoint, portable: bool) -> tuple[Any, set[str]]:
    """Return an endpoint as a model of ONNX, and warnings."""
    require_module("onnx")
    import tensorflow as tf
    from onnx import checker

    from keras_seq.export.onnx.keras_layers import onnx_operators
    from keras_seq.export.onnx.native import portability_warnings
    from keras_seq.export.onnx.placeholders import replace_placeholders
    from keras_seq.export.onnx.tf2onnx_compat import convert_function

    function = tf.function(with_constants(model, endpoint.function), autograph=False)
    with onnx_operators(model, portable) as inserted:
        converted = convert_function(function, endpoint.signature)
    graph = replace_placeholders(converted, inserted.operators)
    checker.check_model(graph)
    return graph, portability_warnings(inserted.operators.values())

"""Export to ONNX, with recurrent layers as the recurrent operators of ONNX."""

import functools
import os
from pathlib import Path
from typing import Any

import keras

from keras_seq._internal.types import Array
from keras_seq.export.checks import require_module, require_tensorflow
from keras_seq.export.signatures import Endpoint
from keras_seq.export.tensor_files import export_all, with_constants
from keras_seq.export.verification import Runner


def onnx(
    model: keras.Model,
    path: str | os.PathLike[str],
    examples: Any = None,
    portable: bool = False,
) -> dict[str, Any]:
    """Export the tensor signatures of a model to ONNX, each endpoint as a file `NAME.onnx`.

    LSTM layers with and without diagonal peepholes, GRU and simple recurrent layers become the
    operators `LSTM`, `GRU` and `RNN`. Both directions of a Bidirectional layer become one operator.
    All other cells and the CRF become `Scan`. Masks may be False at any time step. The
    file `metadata.json` has the data to use the tensors, such as the tokens and the labels by id.

    Args:
        model: Built model of `keras_seq.models`, any functional `keras.Model`, or a model whose
            class has an adapter, see `keras_seq.export.register`.
        path: Folder to write.
        examples: Examples to verify the export on: lists of tokens, recordings or clips for models
            of `keras_seq.models`, a batch of inputs for other models. Default: generated examples,
            for other models only if all inputs are floats, bools, or ids for an `Embedding`.
        portable: If True, avoid operators that OpenVINO or onnx.reference compute wrongly. Layers
            with masks, peepholes or non-default activations become `Scan`, which is slower.

    Returns:
        Report with the keys "endpoints" (sorted names), "max_abs_error" (largest difference from
        the model), "latency_ms" (milliseconds for one example in ONNX Runtime, by endpoint), and
        "warnings" (sentences about operators that other runtimes compute wrongly). A
        mixed-precision model is exported and verified in float32; the report then also has the key
        "precision".

    Raises:
        InputError: If the backend is not TensorFlow, a package is missing, the path exists, the
            model cannot be exported, or the export differs from the model.
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
    """Write an endpoint, and return a function that runs it in ONNX Runtime.

    Warnings are added to the set.
    """
    import onnxruntime

    file = path.with_suffix(".onnx")
    graph, new_warnings = _convert(model, endpoint, portable)
    warnings |= new_warnings
    file.write_bytes(graph.SerializeToString())
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    output_names = [value.name for value in session.get_outputs()]
    input_names = {value.name for value in session.get_inputs()}

    def run(*arguments: Any) -> dict[str, Array]:
        pairs = zip(endpoint.signature, arguments, strict=True)
        # The graph lacks inputs that no output depends on.
        inputs = {
            spec.name: keras.ops.convert_to_numpy(a)
            for spec, a in pairs
            if spec.name in input_names
        }
        return dict(zip(output_names, session.run(output_names, inputs), strict=True))

    return run


def _convert(model: keras.Model, endpoint: Endpoint, portable: bool) -> tuple[Any, set[str]]:
    """Return the ONNX model of an endpoint, and warnings."""
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

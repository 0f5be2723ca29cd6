"""Export of tensor signatures to one file per endpoint and `metadata.json`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write, write_json
from keras_seq._internal.types import Tensor
from keras_seq.export.checks import require_new_path, require_stateless
from keras_seq.export.keras_operations import portable_argmax
from keras_seq.export.precision import in_float32
from keras_seq.export.signatures import Endpoint, adapter_for
from keras_seq.export.verification import Runner, verify


def export_all(
    model: keras.Model,
    path: str | os.PathLike[str],
    examples: Any,
    write: Callable[[keras.Model, Endpoint, Path], Runner],
    adapt: Callable[[Endpoint], Endpoint] = lambda endpoint: endpoint,
) -> dict[str, Any]:
    """Export the tensor signatures of a model, and verify them.

    Args:
        model: Built model, see `keras_seq.export.onnx`.
        path: Folder to write.
        examples: Examples to verify the export on, see `keras_seq.export.onnx`.
        write: Function of the model, an endpoint, and a path without suffix. It writes the endpoint
            and returns a function that runs it.
        adapt: Function that returns an endpoint in the form that the runtime supports.

    Returns:
        Report of `verify`. For a mixed-precision model, it also has the key "precision".

    Raises:
        InputError: If the export fails, see `keras_seq.export.onnx`.
    """
    if Path(path).suffix in (".onnx", ".tflite"):
        raise InputError(
            f"{path} would be a folder, with a file for each endpoint: leave out the suffix."
        )
    require_new_path(path)
    adapter = adapter_for(model)
    require_stateless(model)
    examples = adapter.example_inputs() if examples is None else examples
    with in_float32(model) as policies:
        signatures = adapter.tensor_signatures(examples)
        endpoints = {name: adapt(endpoint) for name, endpoint in signatures.items()}
        with atomic_write(path) as folder:
            folder.mkdir()
            with portable_argmax(model):
                runners = {n: write(model, e, folder / n) for n, e in endpoints.items()}
            if metadata := adapter.metadata():
                write_json(folder / "metadata.json", metadata)
            report = verify(endpoints, runners)
    if policies:
        report["precision"] = f"float32 in place of {', '.join(policies)}"
    return report


def with_constants(
    model: keras.Model, function: Callable[..., dict[str, Tensor]]
) -> Callable[..., dict[str, Tensor]]:
    """Return a function in which the variables of a model are constants.

    Args:
        model: Model with the variables.
        function: Function of tensors that uses the model.
    """
    import tensorflow as tf

    arrays = [keras.ops.convert_to_numpy(variable) for variable in model.variables]

    def call(*arguments: Tensor) -> dict[str, Tensor]:
        values = zip(model.variables, map(tf.constant, arrays), strict=True)
        with keras.StatelessScope(values):
            return function(*arguments)

    return call

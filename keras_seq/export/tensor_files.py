"""Exports from numbers to numbers: one file per endpoint, and `metadata.json`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_seq._internal.files import atomic_write, write_json
from keras_seq.export.checks import require_free, require_stateless
from keras_seq.export.keras_operations import portable_operations
from keras_seq.export.precision import in_float32
from keras_seq.export.signatures import Endpoint, adapter_for
from keras_seq.export.verification import Runner, verify


def export_all(
    model: keras.Model,
    path: str | Path,
    examples: Any,
    write: Callable[[keras.Model, Endpoint, Path], Runner],
    adapt: Callable[[Endpoint], Endpoint] = lambda endpoint: endpoint,
) -> dict[str, Any]:
    """Export the endpoints of a model from numbers to numbers, and compare them with the model.

    Args:
        model, path, examples: As of `keras_seq.export.onnx`.
        write: Takes the model, an endpoint, and a path without suffix. Writes the endpoint there,
            and returns what runs it.
        adapt: Returns an endpoint as the runtime can have it.

    Returns:
        Report of `verify`. If layers compute in 16 bits, which they do in 32 here, with
        "precision".

    Raises:
        InputError: As of `keras_seq.export.onnx`.
    """
    require_free(path)
    adapter = adapter_for(model)
    require_stateless(model)
    examples = adapter.example_inputs() if examples is None else examples
    with in_float32(model) as policies:
        signatures = adapter.tensor_signatures(examples)
        endpoints = {name: adapt(endpoint) for name, endpoint in signatures.items()}
        with atomic_write(path) as folder:
            folder.mkdir()
            with portable_operations(model):
                runners = {n: write(model, e, folder / n) for n, e in endpoints.items()}
            if metadata := adapter.metadata():
                write_json(folder / "metadata.json", metadata)
            report = verify(endpoints, runners)
    if policies:
        report["precision"] = f"float32 in place of {', '.join(policies)}"
    return report


def with_constants(model: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a model for a graph without variables: they become constants.

    Args:
        model: Model with the variables.
        function: Function from tensors to tensors.
    """
    import tensorflow as tf

    arrays = [keras.ops.convert_to_numpy(variable) for variable in model.variables]

    def constant(*arguments: Any) -> Any:
        values = zip(model.variables, map(tf.constant, arrays), strict=True)
        with keras.StatelessScope(values):
            return function(*arguments)

    return constant

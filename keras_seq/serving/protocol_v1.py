"""REST protocol of TensorFlow Serving: request and response bodies."""

import base64
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.types import Array
from keras_seq.serving.tensors import (
    ParsedRequest,
    SignatureSpec,
    TensorSpec,
    parse_nested,
    to_lists,
)

if TYPE_CHECKING:
    from keras_seq.serving.models import Model, Version

DEFAULT_SIGNATURE = "serving_default"
DATA_TYPES = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}
"""Names of dtypes in TensorFlow's protocol buffers that are not TensorFlow's in capitals."""


def model_status(model: "Model", number: int | None = None) -> dict[str, Any]:
    """Return the states of the versions of a model.

    Args:
        model: The model.
        number: Number of one version. Default: all versions.
    """
    states = [(n, "AVAILABLE", "OK", "") for n in model.ready]
    states += [
        (n, "END", "UNKNOWN", failure.reason)
        for n, failure in model.failed.items()
        if n not in model.ready
    ]
    rows = [
        {
            "version": str(version),
            "state": state,
            "status": {"error_code": code, "error_message": message},
        }
        for version, state, code, message in sorted(states, reverse=True)
        if number is None or version == number
    ]
    return {"model_version_status": rows}


def model_metadata(model: "Model", version: "Version") -> dict[str, Any]:
    """Return the inputs and outputs of all signatures of a version."""
    signatures = {
        name: {
            "inputs": {n: _describe(n, tensor) for n, tensor in spec.inputs.items()},
            "outputs": {n: _describe(n, tensor) for n, tensor in spec.outputs.items()},
            "method_name": "tensorflow/serving/predict",
        }
        for name, spec in version.specs.items()
    }
    return {
        "model_spec": {
            "name": model.name,
            "signature_name": "",
            "version": str(version.number),
        },
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _describe(name: str, spec: TensorSpec) -> dict[str, Any]:
    sizes = [{"size": "-1" if size is None else str(size), "name": ""} for size in spec.shape or ()]
    return {
        "dtype": f"DT_{DATA_TYPES.get(spec.dtype, spec.dtype.upper())}",
        "tensor_shape": {"dim": sizes, "unknown_rank": spec.shape is None},
        "name": name,
    }


def parse_request(body: Any, specs: dict[str, SignatureSpec]) -> ParsedRequest:
    """Parse a `:predict` request.

    Args:
        body: JSON value of the body.
        specs: Specs of the signatures by name.

    Returns:
        Parsed request. Its `response_format` is True for the row format ("instances"), False for
        the column format ("inputs").

    Raises:
        InputError: If the body does not fit the protocol and the signature.
    """
    if type(body) is not dict:
        raise InputError("The body must be a JSON object with 'instances' or 'inputs'.")
    for field in body:
        if field not in ("instances", "inputs", "signature_name"):
            raise unknown_name("field", field[:50], ["instances", "inputs", "signature_name"])
    if ("instances" in body) == ("inputs" in body):
        raise InputError("The body must have either 'instances' or 'inputs'.")
    signature = resolve_signature(body.get("signature_name", DEFAULT_SIGNATURE), specs)
    inputs = specs[signature].inputs
    is_row_format = "instances" in body
    if is_row_format:
        columns = _rows_to_columns(body["instances"], inputs)
    else:
        columns = body["inputs"]
        if not _is_named(columns):
            columns = {_single_name(inputs): columns}
    for name in columns:
        if name not in inputs:
            raise unknown_name("input", name[:50], inputs)
    check_complete(columns, inputs)
    arrays = {name: parse_nested(repr(name), spec, columns[name]) for name, spec in inputs.items()}
    return ParsedRequest(signature, arrays, is_row_format)


def check_complete(names: Collection[str], inputs: Mapping[str, TensorSpec]) -> None:
    """Check that no input is missing.

    Args:
        names: Names of the inputs of a request.
        inputs: Specs of the inputs of the signature.

    Raises:
        InputError: If an input is missing.
    """
    for name in inputs:
        if name not in names:
            raise InputError(f"The input {name!r} is missing.")


def resolve_signature(name: Any, specs: Mapping[str, SignatureSpec]) -> str:
    """Return the name of a signature. An empty name stands for the default signature.

    Args:
        name: JSON value from the request.
        specs: Specs of the signatures by name.

    Raises:
        InputError: If no signature has this name.
    """
    if name == "":
        name = DEFAULT_SIGNATURE
    if type(name) is not str or name not in specs:
        raise unknown_name("signature", str(name)[:50], specs)
    return name


def _is_named(value: Any) -> bool:
    """Return whether a value is an object of inputs by name, not a Base64 string."""
    return type(value) is dict and set(value) != {"b64"}


def _single_name(inputs: Mapping[str, TensorSpec]) -> str:
    """Return the name of the only input."""
    if len(inputs) != 1:
        raise InputError(f"The inputs must have names: {', '.join(sorted(inputs))}.")
    return next(iter(inputs))


def _rows_to_columns(instances: Any, inputs: Mapping[str, TensorSpec]) -> dict[str, list[Any]]:
    """Convert the row format to values by input."""
    if type(instances) is not list or not instances:
        raise InputError("'instances' must be a list of at least one instance.")
    if not any(map(_is_named, instances)):
        return {_single_name(inputs): instances}
    names = None
    for instance in instances:
        if not _is_named(instance) or names not in (None, set(instance)):
            raise InputError("All instances must be objects with the same names.")
        names = set(instance)
    return {name: [instance[name] for instance in instances] for name in instances[0]}


def format_response(outputs: dict[str, Array], is_row_format: bool) -> dict[str, Any]:
    """Format the response to a `:predict` request.

    Args:
        outputs: Arrays by name.
        is_row_format: `ParsedRequest.response_format`.

    Raises:
        InputError: If the row format is requested, but the outputs have no common rows.
    """
    columns = {name: to_lists(array, _decoder(name)) for name, array in outputs.items()}
    if len(columns) == 1:
        (only,) = columns.values()
        return {"predictions" if is_row_format else "outputs": only}
    if not is_row_format:
        return {"outputs": columns}
    num_rows = {array.shape[:1] for array in outputs.values()}
    if len(num_rows) > 1 or () in num_rows:
        raise InputError("The outputs have no common rows: send 'inputs' instead of 'instances'.")
    return {"predictions": [dict(zip(columns, row)) for row in zip(*columns.values())]}


def _decoder(name: str) -> Callable[[bytes], Any]:
    """Return the function that converts bytes of an output to JSON.

    In this protocol, outputs whose name ends in `_bytes` are always Base64.
    """

    def decode(value: bytes) -> Any:
        if not name.endswith("_bytes"):
            try:
                return value.decode()
            except UnicodeDecodeError:
                pass
        return {"b64": base64.b64encode(value).decode()}

    return decode

"""Open Inference Protocol, version 2: request and response bodies."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.types import Array
from keras_seq.serving.protocol_v1 import (
    DEFAULT_SIGNATURE,
    check_complete,
    resolve_signature,
)
from keras_seq.serving.tensors import (
    MAX_RANK,
    ParsedRequest,
    SignatureSpec,
    TensorSpec,
    flatten_lists,
    num_elements,
    to_array,
    to_lists,
)

if TYPE_CHECKING:
    from keras_seq.serving.models import Model, Version

DATA_TYPES = {"float16": "FP16", "bfloat16": "BF16", "float32": "FP32", "float64": "FP64"}
DATA_TYPES |= {"string": "BYTES", "bool": "BOOL"}
"""Names of dtypes in the protocol that are not TensorFlow's in capitals."""


class ResponseFormat(NamedTuple):
    """Fields of a request that determine the response."""

    id: str | None
    """Identifier of the request, chosen by the client."""
    outputs: list[str]
    """Names of the requested outputs."""


def datatype(spec: TensorSpec) -> str:
    """Return the name of a dtype in the protocol."""
    return DATA_TYPES.get(spec.dtype, spec.dtype.upper())


def model_metadata(model: "Model", version: "Version") -> dict[str, Any]:
    """Return the inputs and outputs of the default signature of a version."""
    spec = version.specs[resolve_signature(DEFAULT_SIGNATURE, version.specs)]

    def describe(tensors: Mapping[str, TensorSpec]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "datatype": datatype(tensor),
                "shape": [-1 if size is None else size for size in tensor.shape or (None,)],
            }
            for name, tensor in tensors.items()
        ]

    return {
        "name": model.name,
        "versions": [str(number) for number in sorted(model.ready)],
        "platform": "tensorflow_savedmodel",
        "inputs": describe(spec.inputs),
        "outputs": describe(spec.outputs),
    }


def parse_request(body: Any, specs: dict[str, SignatureSpec]) -> ParsedRequest:
    """Parse an `/infer` request. The optional `parameters.signature_name` selects the signature.

    Args:
        body: JSON value of the body.
        specs: Specs of the signatures by name.

    Returns:
        Parsed request, whose `response_format` is a `ResponseFormat`.

    Raises:
        InputError: If the body does not fit the protocol and the signature.
    """
    if type(body) is not dict:
        raise InputError("The body must be a JSON object with 'inputs'.")
    if type(body.get("id", "")) is not str:
        raise InputError("'id' must be a string.")
    parameters = body.get("parameters", {})
    if type(parameters) is not dict:
        raise InputError("'parameters' must be an object.")
    signature = resolve_signature(parameters.get("signature_name", DEFAULT_SIGNATURE), specs)
    inputs, outputs = specs[signature]
    arrays = {
        name: _parse_tensor(name, inputs[name], tensor)
        for name, tensor in _named_tensors("inputs", body.get("inputs"), inputs)
    }
    check_complete(arrays, inputs)
    requested = [name for name, _ in _named_tensors("outputs", body.get("outputs", []), outputs)]
    response_format = ResponseFormat(body.get("id"), requested or list(outputs))
    return ParsedRequest(signature, arrays, response_format)


def _named_tensors(
    field: str, tensors: Any, specs: Mapping[str, TensorSpec]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and objects of a list of tensors.

    Raises:
        InputError: If the list is malformed, or a name is unknown or occurs twice.
    """
    if type(tensors) is not list or not all(type(tensor) is dict for tensor in tensors):
        raise InputError(f"{field!r} must be a list of objects.")
    names = [tensor.get("name") for tensor in tensors]
    for name in names:
        if type(name) is not str or name not in specs:
            raise unknown_name(field[:-1], str(name)[:50], specs)
    if len(set(names)) < len(names):
        raise InputError(f"{field!r} has two tensors with the same name.")
    return list(zip(names, tensors))


def _parse_tensor(name: str, spec: TensorSpec, tensor: dict[str, Any]) -> Array:
    shape, data = tensor.get("shape"), tensor.get("data")
    if tensor.get("datatype") != datatype(spec):
        actual = str(tensor.get("datatype"))[:50]
        raise InputError(f"{name!r} has the datatype {actual}; the model takes {datatype(spec)}.")
    if type(shape) is not list or len(shape) > MAX_RANK or not all(map(_is_size, shape)):
        raise InputError(
            f"The shape of {name!r} must be a list of at most {MAX_RANK} non-negative integers."
        )
    if type(data) is not list:
        raise InputError(f"The data of {name!r} must be a list.")
    is_flat = not data or type(data[0]) is not list
    sizes, values = flatten_lists(repr(name), data, 1 if is_flat else len(shape))
    if num_elements(shape) != len(values) if is_flat else list(sizes) != shape:
        raise InputError(f"The data of {name!r} has the shape {list(sizes)}, expected {shape}.")
    return to_array(repr(name), spec, tuple(shape), values)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def format_response(
    outputs: dict[str, Array],
    response_format: ResponseFormat,
    specs: Mapping[str, TensorSpec],
    model: str,
    version: int,
) -> dict[str, Any]:
    """Format the response to an `/infer` request.

    Args:
        outputs: Arrays by name.
        response_format: `ParsedRequest.response_format`.
        specs: Specs of the outputs.
        model: Name of the model.
        version: Number of the version.
    """
    tensors = [
        {
            "name": name,
            "datatype": datatype(specs[name]),
            "shape": list(outputs[name].shape),
            "data": to_lists(
                outputs[name].reshape(-1), lambda value: value.decode(errors="replace")
            ),
        }
        for name in response_format.outputs
    ]
    response = {"model_name": model, "model_version": str(version), "outputs": tensors}
    return response if response_format.id is None else response | {"id": response_format.id}

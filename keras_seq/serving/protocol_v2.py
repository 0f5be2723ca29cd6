"""The Open Inference Protocol, version 2: bodies and answers, without the network."""

from typing import Any, NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.serving.protocol_v1 import DEFAULT, find
from keras_seq.serving.tensors import (
    DEEPEST,
    Call,
    Interface,
    Spec,
    array,
    as_lists,
    count,
    flattened,
)

TYPES = {"float16": "FP16", "bfloat16": "BF16", "float32": "FP32", "float64": "FP64"}
TYPES |= {"string": "BYTES", "bool": "BOOL"}
"""The protocol's names of types, where they are not TensorFlow's in capitals."""


def type_of(spec):
    """The protocol's name of the type."""
    return TYPES.get(spec.dtype, spec.dtype.upper())


def metadata(model, version):
    """What a version takes and gives, by the signature that answers if none is named."""
    interface = version.interfaces[find(DEFAULT, version.interfaces)]

    def described(specs):
        return [
            {
                "name": name,
                "datatype": type_of(spec),
                "shape": [-1 if size is None else size for size in spec.shape or (None,)],
            }
            for name, spec in specs.items()
        ]

    return {
        "name": model.name,
        "versions": [str(number) for number in sorted(model.ready)],
        "platform": "tensorflow_savedmodel",
        "inputs": described(interface.inputs),
        "outputs": described(interface.outputs),
    }


class Form(NamedTuple):
    """Parts of a request that its answer repeats or selects by."""

    id: str | None
    """The client's name of the request."""
    wanted: list[str]
    """Names of outputs."""


def read(body: Any, interfaces: dict[str, Interface]) -> Call:
    """Parse an `/infer` request; its `parameters.signature_name` names the signature.

    Args:
        body: Value of its JSON.
        interfaces: `Interface` by the name of a signature.

    Returns:
        A `Call`, whose `form` is a `Form`.

    Raises:
        InputError: If it is not such a request, or does not fit the signature.
    """
    if type(body) is not dict:
        raise InputError("The body must be a JSON object with 'inputs'.")
    if type(body.get("id", "")) is not str:
        raise InputError("'id' must be a string.")
    parameters = body.get("parameters", {})
    if type(parameters) is not dict:
        raise InputError("'parameters' must be an object.")
    signature = find(parameters.get("signature_name", DEFAULT), interfaces)
    specs, known = interfaces[signature]
    arrays = {}
    for name, tensor in _by_name("inputs", body.get("inputs"), specs):
        arrays[name] = _read(name, specs[name], tensor)
    for name in specs:
        if name not in arrays:
            raise InputError(f"The input {name!r} is missing.")
    wanted = [name for name, _ in _by_name("outputs", body.get("outputs", []), known)]
    return Call(signature, arrays, Form(body.get("id"), wanted or list(known)))


def _by_name(field, tensors, known):
    """Names and objects of a list of tensors."""
    if type(tensors) is not list or not all(type(tensor) is dict for tensor in tensors):
        raise InputError(f"{field!r} must be a list of objects.")
    names = [tensor.get("name") for tensor in tensors]
    for name in names:
        if type(name) is not str or name not in known:
            raise unknown_name(field[:-1], str(name)[:50], known)
    if len(set(names)) < len(names):
        raise InputError(f"{field!r} has two of the same name.")
    return list(zip(names, tensors))


def _read(name, spec, tensor):
    shape, data = tensor.get("shape"), tensor.get("data")
    if tensor.get("datatype") != type_of(spec):
        given = str(tensor.get("datatype"))[:50]
        raise InputError(f"{name!r} has the datatype {given}; the model takes {type_of(spec)}.")
    if type(shape) is not list or len(shape) > DEEPEST or not all(map(_is_size, shape)):
        raise InputError(
            f"The shape of {name!r} must be a list of at most {DEEPEST} whole numbers, none "
            "negative."
        )
    if type(data) is not list:
        raise InputError(f"The data of {name!r} must be a list.")
    flat = not data or type(data[0]) is not list
    sizes, values = flattened(repr(name), data, 1 if flat else len(shape))
    if count(shape) != len(values) if flat else list(sizes) != shape:
        raise InputError(f"The data of {name!r} has the shape {sizes}, which is not {shape}.")
    return array(repr(name), spec, tuple(shape), values)


def _is_size(value):
    return type(value) is int and 0 <= value < 2**63


def write(
    outputs: dict[str, np.ndarray], form: Form, specs: dict[str, Spec], model: str, version: int
) -> dict:
    """Format the answer to an `/infer` request.

    Args:
        outputs: Arrays by name.
        form: `Call.form`.
        specs: Outputs of the signature.
        model: Name of the model.
        version: Number of its version.
    """
    tensors = [
        {
            "name": name,
            "datatype": type_of(specs[name]),
            "shape": list(outputs[name].shape),
            "data": as_lists(
                outputs[name].reshape(-1), lambda value: value.decode(errors="replace")
            ),
        }
        for name in form.wanted
    ]
    answer = {"model_name": model, "model_version": str(version), "outputs": tensors}
    return answer if form.id is None else answer | {"id": form.id}

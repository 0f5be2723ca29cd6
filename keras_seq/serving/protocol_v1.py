"""The REST interface of TensorFlow Serving: bodies and answers, without the network."""

import base64
from typing import Any

import numpy as np

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.serving.tensors import Call, Interface, as_lists, nested

DEFAULT = "serving_default"
TYPES = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}
"""TensorFlow's names in its protocol buffers, where they differ."""


def status(model, number=None):
    """The states of the versions of a model, or of one."""
    states = [(n, "AVAILABLE", "OK", "") for n in model.ready]
    states += [
        (n, "END", "UNKNOWN", failure.why)
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


def metadata(model, version):
    """What a version takes and gives."""
    signatures = {
        name: {
            "inputs": {n: _tensor(n, spec) for n, spec in interface.inputs.items()},
            "outputs": {n: _tensor(n, spec) for n, spec in interface.outputs.items()},
            "method_name": "tensorflow/serving/predict",
        }
        for name, interface in version.interfaces.items()
    }
    return {
        "model_spec": {
            "name": model.name,
            "signature_name": "",
            "version": str(version.number),
        },
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _tensor(name, spec):
    sizes = [{"size": "-1" if size is None else str(size), "name": ""} for size in spec.shape or ()]
    return {
        "dtype": f"DT_{TYPES.get(spec.dtype, spec.dtype.upper())}",
        "tensor_shape": {"dim": sizes, "unknown_rank": spec.shape is None},
        "name": name,
    }


def read(body: Any, interfaces: dict[str, Interface]) -> Call:
    """Parse a `:predict` request.

    Args:
        body: Value of its JSON.
        interfaces: `Interface` by the name of a signature.

    Returns:
        A `Call`; its `form` says whether the inputs were given row by row.

    Raises:
        InputError: If it is not such a request, or does not fit the signature.
    """
    if type(body) is not dict:
        raise InputError("The body must be a JSON object with 'instances' or 'inputs'.")
    for field in body:
        if field not in ("instances", "inputs", "signature_name"):
            raise unknown_name("field", field[:50], ["instances", "inputs", "signature_name"])
    if ("instances" in body) == ("inputs" in body):
        raise InputError("The body must have either 'instances' or 'inputs'.")
    signature = find(body.get("signature_name", DEFAULT), interfaces)
    specs = interfaces[signature].inputs
    by_rows = "instances" in body
    if by_rows:
        columns = _columns(body["instances"], specs)
    else:
        columns = body["inputs"]
        if not _named(columns):
            columns = {_only(specs): columns}
    for name in columns:
        if name not in specs:
            raise unknown_name("input", name[:50], specs)
    for name in specs:
        if name not in columns:
            raise InputError(f"The input {name!r} is missing.")
    arrays = {name: nested(repr(name), spec, columns[name]) for name, spec in specs.items()}
    return Call(signature, arrays, by_rows)


def find(name: Any, interfaces: dict[str, Interface]) -> str:
    """Return the name of the signature that a request names; empty is the default signature.

    Raises:
        InputError: If there is no such signature.
    """
    if name == "":
        name = DEFAULT
    if type(name) is not str or name not in interfaces:
        raise unknown_name("signature", str(name)[:50], interfaces)
    return name


def _named(value):
    """Whether it is an object of inputs by name, not bytes as Base64."""
    return type(value) is dict and set(value) != {"b64"}


def _only(specs):
    if len(specs) != 1:
        raise InputError(f"The inputs must have names: {', '.join(sorted(specs))}.")
    return next(iter(specs))


def _columns(instances, specs):
    """Values by the name of the input, from instances row by row."""
    if type(instances) is not list or not instances:
        raise InputError("'instances' must be a list of at least one instance.")
    if not any(map(_named, instances)):
        return {_only(specs): instances}
    names = None
    for instance in instances:
        if not _named(instance) or names not in (None, set(instance)):
            raise InputError("All instances must be objects with the same names.")
        names = set(instance)
    return {name: [instance[name] for instance in instances] for name in instances[0]}


def write(outputs: dict[str, np.ndarray], by_rows: bool) -> dict:
    """Format the answer to a `:predict` request.

    Args:
        outputs: Arrays by name.
        by_rows: `Call.form`.

    Raises:
        InputError: If the answer is to be given row by row, and the outputs have no rows.
    """
    columns = {name: as_lists(array, _text(name)) for name, array in outputs.items()}
    if len(columns) == 1:
        (only,) = columns.values()
        return {"predictions" if by_rows else "outputs": only}
    if not by_rows:
        return {"outputs": columns}
    rows = {array.shape[:1] for array in outputs.values()}
    if len(rows) > 1 or () in rows:
        raise InputError("The answer has no rows: ask with 'inputs' instead of 'instances'.")
    return {"predictions": [dict(zip(columns, row)) for row in zip(*columns.values())]}


def _text(name):
    """How the bytes of an output are written."""

    def text(value):
        if not name.endswith("_bytes"):
            try:
                return value.decode()
            except UnicodeDecodeError:
                pass
        return {"b64": base64.b64encode(value).decode()}

    return text

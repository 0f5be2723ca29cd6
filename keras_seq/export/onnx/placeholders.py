"""Placeholders for ONNX operators in a TensorFlow graph.

While a model is traced within `placeholders`, `insert` adds placeholders to the graph and records
their operators. tf2onnx converts the rest of the graph and keeps the placeholders.
`replace_placeholders` then replaces them by the operators.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper, numpy_helper

PLACEHOLDER = "PyFuncStateless"
"""TensorFlow operation for placeholders, with a name and any number of inputs and outputs."""

OPSET = 18
"""Newest version of the ONNX operator set that tf2onnx supports."""

OPSETS = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 2)]


class Operator(NamedTuple):
    """ONNX operator that replaces a placeholder."""

    type: str
    inputs: list[int | np.ndarray | None]
    """For each input: index of the placeholder's input, a constant, or None if it is omitted."""
    attributes: dict[str, Any]
    captured: dict[str, int | np.ndarray | None]
    """For the body of a loop: outer tensors, as in `inputs`, by their name inside the body."""


@dataclasses.dataclass
class Placeholders:
    """Placeholders of one export."""

    portable: bool
    """Whether to avoid operators that other runtimes compute wrongly."""
    operators: dict[str, Operator] = dataclasses.field(default_factory=dict)
    """Operators by name of the placeholder."""


_current: contextvars.ContextVar[Placeholders] = contextvars.ContextVar("placeholders")


@contextlib.contextmanager
def placeholders(portable: bool) -> Iterator[Placeholders]:
    """Collect the placeholders that are inserted within a `with` block.

    Args:
        portable: If True, avoid operators that other runtimes compute wrongly.
    """
    collected = Placeholders(portable)
    token = _current.set(collected)
    try:
        yield collected
    finally:
        _current.reset(token)


def current() -> Placeholders:
    """Return the placeholders of the running export."""
    return _current.get()


def insert(
    type_: str,
    inputs: Sequence[Any],
    shapes: Sequence[Any],
    attributes: dict[str, Any] | None = None,
    captured: dict[str, Any] | None = None,
    dtype: tf.DType = tf.float32,
) -> list[Any]:
    """Insert a placeholder into the traced graph.

    Args:
        type_: Type of the operator.
        inputs: Tensors, arrays that become constants, and None for omitted inputs.
        shapes: Shape of each output.
        attributes: Attributes of the operator by name.
        captured: For the body of a loop: outer tensors by their name inside the body.
        dtype: dtype of the outputs.

    Returns:
        Outputs of the operator.
    """
    tensors: list[Any] = []

    def record(value: Any) -> int | np.ndarray | None:
        if value is None or isinstance(value, np.ndarray):
            return value
        if isinstance(value, tf.__internal__.EagerTensor):
            return value.numpy()
        tensors.append(value)
        return len(tensors) - 1

    operators = current().operators
    name = f"{type_.lower()}_{len(operators)}"
    operators[name] = Operator(
        type_,
        [record(value) for value in inputs],
        attributes or {},
        {inner: record(outer) for inner, outer in (captured or {}).items()},
    )
    types = [dtype] * len(shapes)
    outputs = getattr(tf.raw_ops, PLACEHOLDER)(input=tensors, token=name, Tout=types)
    return [tf.ensure_shape(output, shape) for output, shape in zip(outputs, shapes, strict=True)]


def replace_placeholders(model: onnx.ModelProto, operators: dict[str, Operator]) -> onnx.ModelProto:
    """Return an ONNX model with operators in place of the placeholders.

    Args:
        model: Converted model with placeholders.
        operators: Operators by name of the placeholder.
    """
    _replace(model.graph, operators)
    result = helper.make_model(model.graph, opset_imports=OPSETS)
    result.ir_version = model.ir_version
    return result


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Return the bodies of a loop or branch; none for other nodes."""
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _replace(graph: onnx.GraphProto, operators: dict[str, Operator]) -> None:
    """Replace the placeholders of a graph and of the bodies of its loops."""
    nodes = []
    for node in graph.node:
        for body in subgraphs(node):
            _replace(body, operators)
        nodes.append(_node(graph, node, operators) if node.op_type == PLACEHOLDER else node)
    graph.CopyFrom(
        helper.make_graph(nodes, graph.name, graph.input, graph.output, graph.initializer)
    )


def _node(
    graph: onnx.GraphProto, node: onnx.NodeProto, operators: dict[str, Operator]
) -> onnx.NodeProto:
    """Return the node for a placeholder, and add its constants to the graph."""
    name = next(a for a in node.attribute if a.name == "token").s.decode()
    operator = operators[name]

    def input_name(value: int | np.ndarray | None, suffix: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, int):
            return node.input[value]
        graph.initializer.append(numpy_helper.from_array(value, f"{name}/{suffix}"))
        return f"{name}/{suffix}"

    inputs = [input_name(value, index) for index, value in enumerate(operator.inputs)]
    while not inputs[-1]:
        inputs.pop()
    attributes = dict(operator.attributes)
    if "body" in attributes:
        outer = {inner: input_name(value, inner) for inner, value in operator.captured.items()}
        attributes["body"] = _rename_body(attributes["body"], outer, name)
    return helper.make_node(operator.type, inputs, list(node.output), name=name, **attributes)


def _rename_body(graph: onnx.GraphProto, outer: dict[str, str], prefix: str) -> onnx.GraphProto:
    """Return the body of a loop with names that are unique in the model.

    Args:
        graph: Body of the loop.
        outer: Names of outer tensors by their name inside the body.
        prefix: Prefix of all other names.
    """

    def rename(inner: str) -> str:
        return outer.get(inner, f"{prefix}/{inner}") if inner else ""

    body = onnx.GraphProto()
    body.CopyFrom(graph)
    for node in body.node:
        node.name = f"{prefix}/{node.name}"
        for names in (node.input, node.output):
            names[:] = [rename(inner) for inner in names]
    for value in (*body.input, *body.output, *body.initializer):
        value.name = rename(value.name)
    inputs = [value for value in body.input if value.name not in outer.values()]
    del body.input[:], body.value_info[:]
    body.input.extend(inputs)
    return body

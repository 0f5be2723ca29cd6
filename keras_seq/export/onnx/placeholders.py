"""Placeholders in a graph of TensorFlow for operators of ONNX.

While a model is traced within `placeholders`, `insert` leaves a placeholder in its graph and notes
what the operator needs. tf2onnx converts all that is around the placeholders and keeps them.
`replace_placeholders` then puts the operators in their place.
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
"""Operation of TensorFlow that is a placeholder: any number of inputs and outputs, and a name."""

OPSET = 18
"""Version of ONNX's operators: the newest that tf2onnx knows."""

OPSETS = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 2)]


class Operator(NamedTuple):
    """An operator of ONNX that will take the place of a placeholder."""

    type: str
    inputs: list[int | np.ndarray | None]
    """For each input the index of the placeholder's input, an array, or None if it is left out."""
    attributes: dict[str, Any]
    captured: dict[str, int | np.ndarray | None]
    """For the body of a loop: name within it to what stands for it, as for `inputs`."""


@dataclasses.dataclass
class Placeholders:
    """The placeholders of one export."""

    portable: bool
    """Whether operators that other runtimes compute wrongly are avoided."""
    operators: dict[str, Operator] = dataclasses.field(default_factory=dict)
    """Name of a placeholder to its operator."""


_current: contextvars.ContextVar[Placeholders] = contextvars.ContextVar("placeholders")


@contextlib.contextmanager
def placeholders(portable: bool) -> Iterator[Placeholders]:
    """Collect the placeholders that are inserted within a `with` block.

    Args:
        portable: Whether to avoid operators that other runtimes compute wrongly.
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
    """Insert a placeholder into the graph that is being traced.

    Args:
        type_: Type of the operator.
        inputs: Tensors, arrays that become constants, and None for inputs that are left out.
        shapes: Shape of each output.
        attributes: Attributes of the operator, by the names of ONNX.
        captured: For the body of a loop: names within it that stand for a tensor outside.
        dtype: Type of the outputs.

    Returns:
        The tensors that the operator will compute.
    """
    tensors: list[Any] = []

    def note(value: Any) -> int | np.ndarray | None:
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
        [note(value) for value in inputs],
        attributes or {},
        {inner: note(outer) for inner, outer in (captured or {}).items()},
    )
    types = [dtype] * len(shapes)
    outputs = getattr(tf.raw_ops, PLACEHOLDER)(input=tensors, token=name, Tout=types)
    return [tf.ensure_shape(output, shape) for output, shape in zip(outputs, shapes, strict=True)]


def replace_placeholders(model: onnx.ModelProto, operators: dict[str, Operator]) -> onnx.ModelProto:
    """Return a model of ONNX with the operators in the place of the placeholders.

    Args:
        model: Converted model, which has placeholders.
        operators: Name of a placeholder to its operator.
    """
    _replace(model.graph, operators)
    replaced = helper.make_model(model.graph, opset_imports=OPSETS)
    replaced.ir_version = model.ir_version
    return replaced


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Return the bodies of a loop or a branch; none for another node."""
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _replace(graph: onnx.GraphProto, operators: dict[str, Operator]) -> None:
    """Replace the placeholders of a graph, and those in the bodies of its loops."""
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
    """Return the node for a placeholder; its constants are added to the graph."""
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
    """Return the body of a loop with names that occur nowhere else.

    Args:
        graph: Body of the loop.
        outer: Names in the body that stand for a tensor outside, to the name of that tensor.
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

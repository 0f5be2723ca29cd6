"""Conversion by tf2onnx, with handlers for four operations.

Private or undocumented names that are used, as of tf2onnx 1.17:

- `Node` and `Graph` of `tf2onnx.graph`, the arguments of handlers: the methods
  `find_output_consumers`, `make_const`, `make_node`, `replace_inputs` and `replace_all_inputs` of a
  graph, and `inputs`, `is_const`, `get_tensor_value` and `set_attr` of a node. Handlers are
  documented, their arguments are not.
- The logger "tf2onnx", which reports harmless events as errors.

Keras's patches of tf2onnx are applied by `keras_seq._internal.keras_compat`.
"""

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import onnx

from keras_seq._internal import keras_compat
from keras_seq._internal.errors import InputError
from keras_seq.export.checks import require_module
from keras_seq.export.onnx.placeholders import OPSET, PLACEHOLDER, subgraphs

REMEDIES = {"Bitcast": "Keras's ops.argmax and ops.argmin of floats need it: use tf.argmax there."}
"""Hints for the error message, by a TensorFlow operation without ONNX equivalent."""


def convert_function(function: Any, signature: list[Any]) -> onnx.ModelProto:
    """Convert a `tf.function`, and keep its placeholders.

    Args:
        function: A `tf.function`.
        signature: `tf.TensorSpec` of each argument.

    Raises:
        InputError: If ONNX has no equivalent of an operation.
    """
    return _convert("from_function", function, signature)


def convert_graph(graph: Any, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    """Convert a `tf.compat.v1.GraphDef`, and keep its placeholders.

    Args:
        graph: The graph.
        inputs: Names of the inputs.
        outputs: Names of the outputs.

    Raises:
        InputError: If ONNX has no equivalent of an operation.
    """
    return _convert("from_graph_def", graph, input_names=inputs, output_names=outputs)


def _convert(source: str, *args: Any, **kwargs: Any) -> onnx.ModelProto:
    handlers: dict[str, Any] = {
        PLACEHOLDER: (_keep, []),
        "ReverseV2": (_reverse, []),
        "SelectV2": (_where, []),
        "UnsortedSegmentSum": (_segment_sum, []),
    }
    convert = getattr(_tf2onnx().convert, source)
    with _without_warnings_of_tensorflow():
        model, _ = convert(*args, **kwargs, opset=OPSET, custom_op_handlers=handlers)
    types = {node.op_type for node in _nodes(model.graph)} - {PLACEHOLDER}
    unknown = sorted(t for t in types if not onnx.defs.has(t, max_inclusive_version=OPSET))
    if unknown:
        remedies = [f" {REMEDIES[name]}" for name in unknown if name in REMEDIES]
        raise InputError(
            f"ONNX has no equivalent of TensorFlow's {', '.join(unknown)}.{''.join(remedies)}"
        )
    return model


@contextlib.contextmanager
def _without_warnings_of_tensorflow() -> Iterator[None]:
    """Silence TensorFlow's warnings in the block: tf2onnx calls deprecated functions."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@functools.cache
def _tf2onnx() -> ModuleType:
    """Return tf2onnx, patched for NumPy 2, with its log silenced."""
    module = require_module("tf2onnx")
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        keras_compat.patch_tf2onnx()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    return module


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the bodies of its loops."""
    for node in graph.node:
        yield node
        for body in subgraphs(node):
            yield from _nodes(body)


# Handlers, which change a TensorFlow node in place.


def _keep(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Keep a placeholder unchanged."""


def _where(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Convert to `Where`; tf2onnx multiplies by 0 and 1, which turns infinity into NaN."""
    del name, args
    node.type = "Where"
    negative, from_end, index = node.inputs
    readers = ctx.find_output_consumers(node.output[0])
    # Keras converts negative indices to nonnegative ones. ONNX accepts both, so skip that.
    if (
        all(reader.type in ("GatherV2", "Gather") for reader in readers)
        and (negative.type, from_end.type) == ("Less", "Add")
        and node.input[2] in from_end.input
        and _before_casts(negative.inputs[0]) is _before_casts(index)
        and (limit := _before_casts(negative.inputs[1])).is_const()
        and not limit.get_tensor_value(as_list=False).any()
    ):
        ctx.replace_all_inputs(node.output[0], node.input[2])


def _before_casts(node: Any) -> Any:
    """Return the first node before a chain of casts."""
    while node.type == "Cast":
        node = node.inputs[0]
    return node


def _reverse(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Convert to one `Slice`; tf2onnx uses nine operators."""
    del args
    axes = node.inputs[1].get_tensor_value(as_list=False).reshape(-1).astype(np.int64)
    first = np.full_like(axes, -1)
    bounds = {"starts": first, "ends": np.full_like(axes, np.iinfo(np.int64).min), "axes": axes}
    node.type = "Slice"
    constants = [
        ctx.make_const(f"{name}/{bound}", values).output[0]
        for bound, values in {**bounds, "steps": first}.items()
    ]
    ctx.replace_inputs(node, [node.input[0], *constants])


def _segment_sum(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Convert to `ScatterElements`; tf2onnx pads all segments to the longest."""
    del args
    values, segments, count = node.input
    shape = ctx.make_node("Cast", [count], attr={"to": onnx.TensorProto.INT64}).output[0]
    shape = ctx.make_node("Reshape", [shape, ctx.make_const(f"{name}/1", np.array([1])).output[0]])
    zeros = ctx.make_node("ConstantOfShape", shape.output)
    node.type = "ScatterElements"
    node.set_attr("reduction", "add")
    ctx.replace_inputs(node, [zeros.output[0], segments, values])

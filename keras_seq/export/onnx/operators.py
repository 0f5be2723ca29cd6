"""Recurrent layers as operators of ONNX, put into a graph of TensorFlow.

While a model is traced within `operators(model)`, its recurrent layers and loops leave a mark in
the graph, one for each operator of ONNX, with all that the operator needs; tf2onnx converts what is
around them, and `in_place` puts the operators where the marks are.

The operators `LSTM`, `GRU` and `RNN` know lengths but no masks. So the steps that a mask leaves are
moved together before them, and what they put out is moved apart again: that holds for any mask.

Some runtimes compute some of these operators wrongly, see `PITFALLS`. A portable graph has the
operator `Scan` in their place.
"""

import contextlib
import contextvars
import functools
import logging
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np
import onnx
import tensorflow as tf
from keras import tree
from onnx import helper, numpy_helper

from keras_seq import cells
from keras_seq._internal.errors import InputError
from keras_seq.export.verification import imported
from keras_seq.layers import Bigrams
from keras_seq.scan import linear_chain
from keras_seq.scan.general import one_step, output_size, projects
from keras_seq.scan.loop import Piece, loop
from keras_seq.tracing.hooks import RECURRENT, replaced
from keras_seq.tracing.stepping import Part

MARK = "PyFuncStateless"
"""The operator of TensorFlow that a mark is: any number of inputs and outputs, and a name."""

ACTIVATIONS = {
    keras.activations.tanh: "Tanh",
    keras.activations.sigmoid: "Sigmoid",
    keras.activations.relu: "Relu",
    keras.activations.softsign: "Softsign",
    keras.activations.softplus: "Softplus",
}
"""Those that the operators of ONNX have themselves."""

GATES = {"LSTM": ("ifco", "iofc"), "GRU": ("zrh", "zrh"), "RNN": ("h", "h")}
"""The order of the gates in the weights of Keras, and in those of ONNX."""

DEFAULT_ACTIVATIONS = {
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "RNN": ["Tanh"],
}
"""Default activations of the operators, for one direction."""

PITFALLS = {
    "lengths": "OpenVINO and onnx.reference ignore `sequence_lens` where the graph computes them",
    "peepholes": "OpenVINO computes peepholes wrongly",
    "activations": "onnx.reference ignores `activations`",
}
"""Warnings about properties of recurrent operators with which other runtimes compute wrong results
without an error, as of OpenVINO 2026.4.1 and ONNX 1.23."""

OPSET = 18
"""The version of ONNX's operators: the newest that tf2onnx knows."""

OPSETS = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 2)]

_marks: contextvars.ContextVar = contextvars.ContextVar("marks")


class Operator(NamedTuple):
    """What is to stand where a mark is."""

    type: str
    inputs: list
    """For each input the number of the mark's input, an array, or None if it is left out."""
    attributes: dict
    captured: dict
    """For the body of a loop: name within it to what stands for it, as for `inputs`."""


@contextlib.contextmanager
def operators(model, portable=False):
    """Within this context a model that is traced leaves marks, which are yielded by their names.

    Args:
        model: Built; on TensorFlow.
        portable: Whether to avoid what is in `PITFALLS`.
    """
    marks: dict[str, Operator] = {}
    token = _marks.set(marks)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(loop.by(_scan))
            stack.enter_context(linear_chain.logsumexp.by(_logsumexp))
            for layer in model._flatten_layers():
                if isinstance(layer, RECURRENT):
                    stack.enter_context(replaced(layer, "inner_loop", _alone(layer, portable)))
                elif isinstance(layer, keras.layers.Bidirectional):
                    stack.enter_context(replaced(layer, "call", _together(layer, portable)))
                elif isinstance(layer, Bigrams):
                    stack.enter_context(replaced(layer, "numbers", _looked_up(layer)))
            yield marks
    finally:
        _marks.reset(token)


def warnings_of(marks):
    """Return what to know before a graph runs elsewhere than in ONNX Runtime.

    Args:
        marks: As `operators` yields them.

    Returns:
        A set of sentences.
    """
    found = set()
    for mark in marks.values():
        if mark.type in GATES:
            lengths, peepholes = mark.inputs[4] is not None, len(mark.inputs) > 7
            found |= _pitfalls(mark.type, lengths, peepholes, mark.attributes["activations"])
    return {f"{PITFALLS[name]}: export with portable=True to run there." for name in found}


def _pitfalls(type_, lengths, peepholes, activations):
    """Return the keys of `PITFALLS` that apply to a recurrent operator.

    Args:
        type_: Type of the operator.
        lengths: Whether it reads the lengths of sequences.
        peepholes: Whether it has peepholes.
        activations: Names of its activations, of one direction or of both.
    """
    defaults = DEFAULT_ACTIVATIONS[type_]
    known = defaults * (len(activations) // len(defaults))
    applies = {"lengths": lengths, "peepholes": peepholes, "activations": activations != known}
    return {name for name, true in applies.items() if true}


# Layers, as they are called while the model is traced.


def _alone(layer, portable):
    """In place of the `inner_loop` of a layer."""
    native = _native(layer.cell)

    def make(inner_loop):
        def run(sequences, initial_state, mask, training=False):
            given = sequences, list(initial_state), mask
            if native is not None and not (portable and native.pitfalls(mask)):
                return _run([layer], [native], *given)[0]
            if native is not None or projects(layer.cell):
                return _step_by_step(layer, *given)
            return inner_loop(*given, training)

        return run

    return make


def _together(layer, portable):
    """In place of the `call` of a Bidirectional layer: one operator for both halves."""
    halves = layer.forward_layer, layer.backward_layer
    natives = [_native(half.cell) for half in halves]
    alike = _alike(halves, natives)

    def make(call):
        def run(sequences, initial_state=None, mask=None, training=None):
            avoided = portable and any(native and native.pitfalls(mask) for native in natives)
            if not alike or avoided or initial_state is not None:
                return call(sequences, initial_state, mask, training)
            if _simply_joined(layer, mask):
                return _joined(halves, natives, sequences, mask)
            with contextlib.ExitStack() as stack:
                for half, result in zip(halves, _run(halves, natives, sequences, None, mask)):
                    known = replaced(half, "inner_loop", lambda _, r=result: lambda **_: r)
                    stack.enter_context(known)
                return call(sequences, mask=mask, training=training)

        return run

    return make


def _alike(halves, natives):
    """Whether the halves of a Bidirectional layer can be one operator."""
    if None in natives or [half.go_backwards for half in halves] != [False, True]:
        return False
    forward, backward = (
        (native.type, native.attributes, [weight.shape for weight in native.weights])
        for native in natives
    )
    return forward == backward


def _simply_joined(layer, mask):
    """Whether a Bidirectional layer puts out both halves of what the operator does, or zeros."""
    halves = layer.forward_layer, layer.backward_layer
    zeros = mask is None or all(half.zero_output_for_mask for half in halves)
    whole = layer.return_sequences and not layer.return_state
    return zeros and whole and (layer.merge_mode, layer.compute_dtype) == ("concat", "float32")


def _joined(halves, found, sequences, mask):
    """What a Bidirectional layer puts out if it is so simple."""
    seen = _Seen(mask)
    y, *_ = _operator(halves, found, sequences, [], seen)
    outputs = tf.transpose(y, [2, 0, 1, 3])
    if mask is not None:
        outputs = tf.gather(outputs, tf.maximum(seen.until - 1, 0), batch_dims=1)
        outputs = tf.where(seen.mask[:, :, None, None], outputs, 0.0)
    width = 2 * halves[0].cell.units
    (joined,) = _mark("Reshape", [outputs, np.array([0, 0, width])], [(None, None, width)])
    return joined


class _Seen:
    """The steps that a mask leaves.

    Attributes:
        mask: Bools (batch, timesteps); None if there is no mask.
        lengths: How many steps are seen, (batch,).
        until: How many are until each step, it included.
    """

    def __init__(self, mask):
        self.mask = self.lengths = self.until = None
        if mask is not None:
            self.mask = tf.cast(tree.flatten(mask)[0], tf.bool)
            self._flags = tf.cast(self.mask, tf.int32)
            self.lengths = tf.reduce_sum(self._flags, axis=1)
            self.until = tf.cumsum(self._flags, axis=1)

    def first(self, x):
        """A sequence with the steps that are seen first, in their order."""
        if self.mask is None:
            return x
        timesteps = tf.shape(self.mask)[1]
        order = tf.math.top_k(self._flags * timesteps - tf.range(timesteps), k=timesteps).indices
        return tf.gather(x, order, batch_dims=1)


def _operator(halves, found, sequences, before, seen):
    """What ONNX's operator puts out: y (timesteps, halves, batch, units), and the last states."""
    type_, units = found[0].type, halves[0].cell.units
    count = 2 if type_ == "LSTM" else 1
    direction = "reverse" if halves[0].go_backwards else "forward"
    x = seen.first(tf.cast(sequences, tf.float32))
    weights = [np.stack(w) for w in zip(*(native.weights for native in found))]
    inputs = [tf.transpose(x, [1, 0, 2]), *weights[:3], seen.lengths, *before]
    inputs += [None] * (7 - len(inputs)) + weights[3:]
    return _mark(
        type_,
        inputs,
        [(None, len(halves), None, units)] + [(len(halves), None, units)] * count,
        hidden_size=units,
        direction="bidirectional" if len(halves) == 2 else direction,
        activations=[name for native in found for name in native.activations],
        **found[0].attributes,
    )


def _run(halves, found, sequences, states, mask):
    """One operator: for each layer its last output, outputs in the order computed, and states."""
    seen, before = _Seen(mask), []
    if states is not None:
        before = [tf.cast(state, tf.float32)[None] for state in states]
    y, *after = _operator(halves, found, sequences, before, seen)
    results = []
    for number, half in enumerate(halves):
        outputs, last = tf.transpose(y[:, number], [1, 0, 2]), after[0][number]
        finals = [state[number] for state in after]
        if mask is not None:
            # A step that is not seen repeats the step before it, in the order computed.
            place = seen.until - tf.cast(seen.mask if half.go_backwards else True, tf.int32)
            outputs = tf.gather(outputs, tf.maximum(place, 0), batch_dims=1)
            if half.zero_output_for_mask:
                outputs = tf.where(seen.mask[:, :, None], outputs, 0.0)
                last = outputs[:, 0 if half.go_backwards else -1]
            elif not half.go_backwards:
                outputs = tf.where(seen.until[:, :, None] > 0, outputs, 0.0)
            if states is not None:
                some, pairs = seen.lengths[:, None] > 0, zip(finals, before)
                finals = [tf.where(some, new, old[0]) for new, old in pairs]
        if half.go_backwards:
            outputs = outputs[:, ::-1]
        cast = half.compute_dtype
        results.append(tree.map_structure(lambda t, d=cast: tf.cast(t, d), (last, outputs, finals)))
    return results


def _looked_up(layer):
    """In place of the `numbers` of a `Bigrams`: a table of ONNX's, in place of a search."""

    def make(numbers):
        def run(codes):
            (found,) = _mark(
                "LabelEncoder",
                [tf.cast(codes, tf.int64)],
                [codes.shape],
                dtype=tf.int64,
                domain="ai.onnx.ml",
                keys_int64s=layer.codes.tolist(),
                values_int64s=list(range(1, len(layer.codes) + 1)),
                default_int64=0,
            )
            return tf.cast(found, tf.int32)

        return run

    return make


def _step_by_step(layer, sequences, initial_state, mask):
    """As `keras_seq.scan.general`, for a cell that ONNX has no operator for."""
    cell, backward = Part(layer.cell).cell, layer.go_backwards
    mask = tree.flatten(mask)[0]
    if hasattr(cell, "begin"):
        sequences = cell.begin(sequences, training=False)
    inputs, carry, step = one_step(cell, sequences, initial_state, mask, layer.zero_output_for_mask)

    def next_one(carry, elements):
        output, states = step(elements[0], carry)
        return tuple(states), (output,)

    after, (outputs,) = _scan(next_one, tuple(carry), [inputs], [output_size(cell)], backward)
    if backward:
        outputs = outputs[:, ::-1]
    return outputs[:, -1], outputs, list(after)[: len(initial_state)]


# What ONNX has an operator for.


class _Native(NamedTuple):
    type: str
    weights: list
    """W, R and B, and P if there are peepholes, of one direction."""
    activations: list
    attributes: dict

    def pitfalls(self, mask):
        """The keys of `PITFALLS` that apply if the operator runs under this mask."""
        return _pitfalls(self.type, mask is not None, len(self.weights) > 3, self.activations)


def _native(cell):
    """The operator of ONNX that computes what a cell does, or None."""
    kinds = {
        "LSTM": (cells.LSTMCell, cells.DiagonalPeepholeLSTMCell, keras.layers.LSTMCell),
        "GRU": (cells.GRUCell, keras.layers.GRUCell),
        "RNN": (cells.SimpleRNNCell, keras.layers.SimpleRNNCell),
    }
    type_ = next((name for name, classes in kinds.items() if type(cell) in classes), None)
    names = ["activation"] if type_ == "RNN" else ["recurrent_activation", "activation"]
    if (
        type_ is None
        or not cell.built
        or any(getattr(cell, name) not in ACTIVATIONS for name in names)
    ):
        return None
    activations = [ACTIVATIONS[getattr(cell, name)] for name in names]
    if type_ == "LSTM":
        activations.append(activations[-1])
    ours, theirs = GATES[type_]

    def blocks(array):
        """The rows in the order of ONNX's gates."""
        parts = dict(zip(ours, np.split(array, len(ours))))
        return np.concatenate([parts[gate] for gate in theirs])

    kernel, recurrent = _array(cell.kernel), _array(cell.recurrent_kernel)
    bias = np.zeros((2, kernel.shape[1]), "float32")
    if cell.use_bias:
        given = _array(cell.bias)
        bias[: 2 if given.ndim == 2 else 1] = given
    both = np.concatenate([blocks(row) for row in bias])
    weights = [blocks(kernel.T), blocks(recurrent.T), both]
    if isinstance(cell, cells.DiagonalPeepholeLSTMCell):
        gates = ("input", "output", "forget")
        peepholes = [_array(getattr(cell, f"{gate}_gate_peephole_weights")) for gate in gates]
        weights.append(np.concatenate(peepholes))
    attributes = {"linear_before_reset": int(cell.reset_after)} if type_ == "GRU" else {}
    return _Native(type_, weights, activations, attributes)


def _array(weight):
    return keras.ops.convert_to_numpy(weight).astype("float32")


def _scan(step, carry, sequences, widths, reverse=False):
    """As `keras_seq.scan.loop.loop`, by the operator `Scan`."""
    sequences = [
        s.sequence[:, :, s.start : s.start + s.width] if isinstance(s, Piece) else s
        for s in sequences
        if s is not None
    ]
    # Along the first axis and forward, since onnx.reference scans no other way.
    direction = -1 if reverse else 1
    sequences = [tf.transpose(s, [1, 0, 2])[::direction] for s in sequences]
    specs = [tf.TensorSpec([None, t.shape[-1]], t.dtype) for t in (*carry, *sequences)]

    @tf.function(autograph=False, input_signature=specs)
    def body(*elements):
        after, out = step(elements[: len(carry)], list(elements[len(carry) :]))
        return [tf.identity(t) for t in (*after, *out)]

    graph = body.get_concrete_function().graph
    inside = [t for t in graph.inputs if t.dtype != tf.resource]
    names = [[tensor.name for tensor in tensors] for tensors in (inside, graph.outputs)]
    made = converted(
        "from_graph_def", graph.as_graph_def(), input_names=names[0], output_names=names[1]
    )
    proto = in_place(made, _marks.get()).graph
    captured = {inner.name: outer for outer, inner in graph.captures}
    results = _mark(
        "Scan",
        [*carry, *sequences],
        [c.shape for c in carry] + [(None, None, width) for width in widths],
        captured,
        body=proto,
        num_scan_inputs=len(sequences),
    )
    stacks = [tf.transpose(s[::direction], [1, 0, 2]) for s in results[len(carry) :]]
    return tuple(results[: len(carry)]), tuple(stacks)


def _logsumexp(x, axis):
    """As `keras_seq.scan.linear_chain.logsumexp`, by one operator."""
    shape = [size for number, size in enumerate(x.shape) if number != axis % len(x.shape)]
    return _mark("ReduceLogSumExp", [x, np.array([axis])], [shape], keepdims=0)[0]


# Marks, and what is put in their place.


def _mark(type_, inputs, shapes, captured=None, dtype=tf.float32, **attributes):
    """Tensors of these shapes, which an operator of ONNX will compute."""
    given = []

    def noted(value):
        if value is None or isinstance(value, np.ndarray):
            return value
        if isinstance(value, tf.__internal__.EagerTensor):
            return value.numpy()
        given.append(value)
        return len(given) - 1

    marks = _marks.get()
    name = f"{type_.lower()}_{len(marks)}"
    marks[name] = Operator(
        type_,
        [noted(value) for value in inputs],
        attributes,
        {inner: noted(outer) for inner, outer in (captured or {}).items()},
    )
    types = [dtype] * len(shapes)
    results = getattr(tf.raw_ops, MARK)(input=given, token=name, Tout=types)
    return [tf.ensure_shape(result, shape) for result, shape in zip(results, shapes)]


def converted(source, *arguments, **named):
    """What tf2onnx makes of a graph or function of TensorFlow; marks stay.

    Args:
        source: The function of `tf2onnx.convert`.
        arguments, named: What it takes.

    Raises:
        InputError: There is an operator that ONNX has no match for.
    """
    handlers = {
        MARK: (_as_it_is, []),
        "ReverseV2": (_backwards, []),
        "SelectV2": (_where, []),
        "UnsortedSegmentSum": (_sums, []),
    }
    model, _ = _tf2onnx().convert.__dict__[source](
        *arguments, **named, opset=OPSET, custom_op_handlers=handlers
    )
    strange = {node.op_type for node in _nodes(model.graph) if not _known(node.op_type)} - {MARK}
    if strange:
        raise InputError(f"ONNX has no match for {', '.join(sorted(strange))} of TensorFlow.")
    return model


def _nodes(graph):
    """The nodes of a graph, and those of the bodies of its loops."""
    for node in graph.node:
        yield node
        for body in _bodies(node):
            yield from _nodes(body)


def _bodies(node):
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _as_it_is(ctx, node, name, args):
    """For tf2onnx: a mark stays."""


def _where(ctx, node, name, args):
    """For tf2onnx, which would choose by products with 0 and 1: infinity times 0 is not 0."""
    node.type = "Where"
    negative, from_end, index = node.inputs
    readers = ctx.find_output_consumers(node.output[0])
    # Keras makes indices that count from the end count from the start, of which ONNX has no need.
    if (
        all(reader.type in ("GatherV2", "Gather") for reader in readers)
        and (negative.type, from_end.type) == ("Less", "Add")
        and node.input[2] in from_end.input
        and _before_casts(negative.inputs[0]) is _before_casts(index)
        and (limit := _before_casts(negative.inputs[1])).is_const()
        and not limit.get_tensor_value(as_list=False).any()
    ):
        ctx.replace_all_inputs(node.output[0], node.input[2])


def _before_casts(node):
    """What a number was before its type changed."""
    while node.type == "Cast":
        node = node.inputs[0]
    return node


def _backwards(ctx, node, name, args):
    """For tf2onnx, which would take nine operators for it."""
    axes = node.inputs[1].get_tensor_value(as_list=False).reshape(-1).astype(np.int64)
    first = np.full_like(axes, -1)
    bounds = {"starts": first, "ends": np.full_like(axes, np.iinfo(np.int64).min), "axes": axes}
    node.type = "Slice"
    constants = [
        ctx.make_const(f"{name}/{what}", values).output[0]
        for what, values in {**bounds, "steps": first}.items()
    ]
    ctx.replace_inputs(node, [node.input[0], *constants])


def _sums(ctx, node, name, args):
    """For tf2onnx, which would lay out all sums as wide as that of the most numbers."""
    numbers, places, count = node.input
    shape = ctx.make_node("Cast", [count], attr={"to": onnx.TensorProto.INT64}).output[0]
    shape = ctx.make_node("Reshape", [shape, ctx.make_const(f"{name}/1", np.array([1])).output[0]])
    zeros = ctx.make_node("ConstantOfShape", shape.output)
    node.type = "ScatterElements"
    node.set_attr("reduction", "add")
    ctx.replace_inputs(node, [zeros.output[0], places, numbers])


def _known(operator):
    return onnx.defs.has(operator, max_inclusive_version=OPSET)


@functools.cache
def _tf2onnx():
    """tf2onnx, which speaks of errors alone, and knows NumPy 2."""
    module = imported("tf2onnx")
    # Keras exports no name for it, and itself needs it until tf2onnx is mended.
    from keras.src.export.tf2onnx_lib import patch_tf2onnx

    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        patch_tf2onnx()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    return module


def in_place(model, marks):
    """The model with the operators in the place of their marks."""
    _place(model.graph, marks)
    placed = helper.make_model(model.graph, opset_imports=OPSETS)
    placed.ir_version = model.ir_version
    return placed


def _place(graph, marks):
    """Puts the operators in the place of their marks, in the bodies of loops too."""
    nodes = []
    for node in graph.node:
        for body in _bodies(node):
            _place(body, marks)
        if node.op_type != MARK:
            nodes.append(node)
            continue
        name = next(a for a in node.attribute if a.name == "token").s.decode()
        operator = marks[name]

        def named(value, at, node=node, name=name):
            if value is None:
                return ""
            if isinstance(value, int):
                return node.input[value]
            graph.initializer.append(numpy_helper.from_array(value, f"{name}/{at}"))
            return f"{name}/{at}"

        inputs = [named(value, at) for at, value in enumerate(operator.inputs)]
        while not inputs[-1]:
            inputs.pop()
        attributes: dict[str, Any] = dict(operator.attributes)
        if "body" in attributes:
            outer = {inner: named(value, inner) for inner, value in operator.captured.items()}
            attributes["body"] = _body(attributes["body"], outer, name)
        outputs = list(node.output)
        nodes.append(helper.make_node(operator.type, inputs, outputs, name=name, **attributes))
    graph.CopyFrom(
        helper.make_graph(nodes, graph.name, graph.input, graph.output, graph.initializer)
    )


def _body(graph, outer, prefix):
    """The body of a loop, its names apart from those outside, but for what it takes from there."""

    def name(inner):
        return outer.get(inner, f"{prefix}/{inner}") if inner else ""

    body = onnx.GraphProto()
    body.CopyFrom(graph)
    for node in body.node:
        node.name = f"{prefix}/{node.name}"
        for names in (node.input, node.output):
            names[:] = [name(inner) for inner in names]
    for value in (*body.input, *body.output, *body.initializer):
        value.name = name(value.name)
    inputs = [value for value in body.input if value.name not in outer.values()]
    del body.input[:], body.value_info[:]
    body.input.extend(inputs)
    return body

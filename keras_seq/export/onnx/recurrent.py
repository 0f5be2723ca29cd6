"""Recurrent layers and loops as operators of ONNX.

The operators `LSTM`, `GRU` and `RNN` support sequence lengths but no masks. For any mask, a gather
before the operator moves the unmasked steps of each sequence to its start, and a gather after it
moves the outputs back. Other cells and loops become the operator `Scan`.

Some runtimes compute some of these operators wrongly, see `keras_seq.export.onnx.native`. Portable
graphs use `Scan` instead.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import tree

from keras_seq import layers, scan
from keras_seq._internal.export_target import implement
from keras_seq.export.onnx.native import NativeOperator, native_operator
from keras_seq.export.onnx.placeholders import current, insert, replace_placeholders
from keras_seq.export.onnx.tf2onnx_compat import convert_graph
from keras_seq.scan import linear_chain
from keras_seq.scan import loop as scan_loop
from keras_seq.scan.general import output_size, prepare_loop

Result = tuple[Any, Any, list[Any]]
"""Last output `(batch, units)`, outputs `(batch, timesteps, units)` in order of computation, and
final states."""


class Direction(NamedTuple):
    """Direction of a recurrent operator."""

    native: NativeOperator
    units: int
    go_backwards: bool
    zero_output_for_mask: bool
    dtype: str


@implement(scan.scan, "onnx")
def scan_onnx(
    cell: Any,
    sequences: Any,
    initial_state: list[Any],
    mask: Any = None,
    go_backwards: bool = False,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
    use_cudnn: bool | str = False,
    checkpoint: bool = False,
    training: bool = False,
) -> Result:
    """Compute `keras_seq.scan.scan` by a recurrent operator or `Scan`.

    Args:
        cell: Cell of a recurrent layer.
        sequences: `(batch, timesteps, features)`.
        initial_state: Initial states, each `(batch, units)`.
        mask: Bools `(batch, timesteps)`, or None.
        go_backwards: If True, run from the last step to the first.
        unroll: Not used.
        zero_output_for_mask: If True, outputs at masked steps are zeros. Otherwise they repeat the
            previous output.
        return_sequences: Not used.
        use_cudnn: Not used.
        checkpoint: Not used.
        training: Not used.
    """
    del unroll, return_sequences, use_cudnn, checkpoint, training
    native = native_operator(cell)
    if native is None or not is_allowed(native, mask):
        return scan_steps(cell, sequences, initial_state, mask, go_backwards, zero_output_for_mask)
    direction = Direction(native, cell.units, go_backwards, zero_output_for_mask, sequences.dtype)
    return run_directions([direction], sequences, list(initial_state), mask)[0]


def is_allowed(native: NativeOperator, mask: Any) -> bool:
    """Return whether an export may use an operator. Portable exports avoid some."""
    return not (current().portable and native.pitfalls(mask is not None))


# Recurrent operators.


class _Mask:
    """Mask of time steps, with counts of unmasked steps.

    Attributes:
        mask: Bools `(batch, timesteps)`. All attributes are None without a mask.
        lengths: Number of unmasked steps, `(batch,)`.
        counts: Number of unmasked steps up to and including each step, `(batch, timesteps)`.
    """

    def __init__(self, mask: Any) -> None:
        self.mask: Any = None if mask is None else tf.cast(mask, tf.bool)
        self.lengths: Any = None
        self.counts: Any = None
        if mask is not None:
            self._flags = tf.cast(self.mask, tf.int32)
            self.lengths = tf.reduce_sum(self._flags, axis=1)
            self.counts = tf.cumsum(self._flags, axis=1)

    def pack(self, x: Any) -> Any:
        """Return a sequence with its unmasked steps moved to the start, in their order."""
        if self.mask is None:
            return x
        timesteps = tf.shape(self.mask)[1]
        order = tf.math.top_k(self._flags * timesteps - tf.range(timesteps), k=timesteps).indices
        return tf.gather(x, order, batch_dims=1)


def _operator(
    directions: list[Direction], sequences: Any, initial_state: list[Any], mask: _Mask
) -> list[Any]:
    """Insert a recurrent operator, and return its outputs.

    Returns:
        Outputs `(timesteps, directions, batch, units)`, then each final state `(directions, batch,
        units)`.
    """
    native, units, backwards = directions[0].native, directions[0].units, directions[0].go_backwards
    num_states = 2 if native.type == "LSTM" else 1
    x = mask.pack(tf.cast(sequences, tf.float32))
    weights = [np.stack(w) for w in zip(*(d.native.weights for d in directions), strict=True)]
    inputs = [tf.transpose(x, [1, 0, 2]), *weights[:3], mask.lengths, *initial_state]
    inputs += [None] * (7 - len(inputs)) + weights[3:]
    direction = "reverse" if backwards else "forward"
    if len(directions) == 2:
        direction = "bidirectional"
    num_directions = len(directions)
    return insert(
        native.type,
        inputs,
        [(None, num_directions, None, units)] + [(num_directions, None, units)] * num_states,
        {
            "hidden_size": units,
            "direction": direction,
            "activations": [name for d in directions for name in d.native.activations],
            **native.attributes,
        },
    )


def run_directions(
    directions: list[Direction], sequences: Any, initial_state: list[Any] | None, mask: Any
) -> list[Result]:
    """Run one or two directions by one operator, and return the result of each.

    Args:
        directions: One direction, or a forward and a backward one.
        sequences: `(batch, timesteps, features)`.
        initial_state: Initial states of a single direction, each `(batch, units)`; None for zeros.
        mask: Bools `(batch, timesteps)`, or None.
    """
    masked = _Mask(mask)
    initial = [tf.cast(state, tf.float32)[None] for state in initial_state or ()]
    y, *finals = _operator(directions, sequences, initial, masked)
    results = []
    for index, (_, _, backwards, zeros, dtype) in enumerate(directions):
        outputs, last = tf.transpose(y[:, index], [1, 0, 2]), finals[0][index]
        states = [state[index] for state in finals]
        if masked.mask is not None:
            # A masked step repeats the previous output, in order of computation.
            source = masked.counts - tf.cast(masked.mask if backwards else True, tf.int32)
            outputs = tf.gather(outputs, tf.maximum(source, 0), batch_dims=1)
            if zeros:
                outputs = tf.where(masked.mask[:, :, None], outputs, 0.0)
                last = outputs[:, 0 if backwards else -1]
            elif not backwards:
                outputs = tf.where(masked.counts[:, :, None] > 0, outputs, 0.0)
            if initial:  # a sequence without unmasked steps keeps its initial state
                has_steps, pairs = masked.lengths[:, None] > 0, zip(states, initial, strict=True)
                states = [tf.where(has_steps, new, old[0]) for new, old in pairs]
        if backwards:
            outputs = outputs[:, ::-1]
        result = (last, outputs, states)
        results.append(tree.map_structure(lambda t, d=dtype: tf.cast(t, d), result))
    return results


def merge_outputs(directions: list[Direction], sequences: Any, mask: Any) -> Any:
    """Return the concatenated outputs of both directions, `(batch, timesteps, 2 * units)`.

    Args:
        directions: A forward and a backward direction.
        sequences: `(batch, timesteps, features)`.
        mask: Bools `(batch, timesteps)`, or None. Outputs at masked steps are zeros.
    """
    masked = _Mask(mask)
    y, *_ = _operator(directions, sequences, [], masked)
    outputs = tf.transpose(y, [2, 0, 1, 3])
    if masked.mask is not None:
        outputs = tf.gather(outputs, tf.maximum(masked.counts - 1, 0), batch_dims=1)
        outputs = tf.where(masked.mask[:, :, None, None], outputs, 0.0)
    width = 2 * directions[0].units
    (merged,) = insert("Reshape", [outputs, np.array([0, 0, width])], [(None, None, width)])
    return merged


# Loops.


def scan_steps(
    cell: Any,
    sequences: Any,
    initial_state: list[Any],
    mask: Any,
    go_backwards: bool,
    zero_output_for_mask: bool,
) -> Result:
    """Run a cell by the operator `Scan`.

    Args:
        cell: Cell with `project` and `step`.
        sequences: `(batch, timesteps, features)`.
        initial_state: Initial states, each `(batch, units)`.
        mask: Bools `(batch, timesteps)`, or None.
        go_backwards: If True, run from the last step to the first.
        zero_output_for_mask: If True, outputs at masked steps are zeros.
    """
    inputs, carry, step = prepare_loop(cell, sequences, initial_state, mask, zero_output_for_mask)

    def scan_step(carry: Any, elements: Any) -> tuple[Any, Any]:
        output, states = step(elements[0], carry)
        return tuple(states), (output,)

    widths = [output_size(cell)]
    finals, (outputs,) = loop_onnx(scan_step, tuple(carry), [inputs], widths, go_backwards)
    if go_backwards:
        outputs = outputs[:, ::-1]
    return outputs[:, -1], outputs, list(finals)[: len(initial_state)]


@implement(scan_loop.loop, "onnx")
def loop_onnx(
    step: Callable[..., Any],
    carry: tuple[Any, ...],
    sequences: Any,
    widths: Any,
    reverse: bool = False,
    step_range: None = None,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Compute `keras_seq.scan.loop.loop` by the operator `Scan`.

    Args:
        step: Function of the carry and the elements of one step. It returns the new carry, and
            elements to stack.
        carry: Tensors `(batch, n)`.
        sequences: Tensors `(batch, timesteps, n)`, or `Columns` of one; None is skipped.
        widths: Sizes n of the stacked elements.
        reverse: If True, run from the last step to the first.
        step_range: Not used, since an export has no padding to skip.
    """
    del step_range
    sequences = [
        s.sequence[:, :, s.start : s.start + s.width] if isinstance(s, scan_loop.Columns) else s
        for s in sequences
        if s is not None
    ]
    # onnx.reference supports only forward scans along the first axis.
    direction = -1 if reverse else 1
    sequences = [tf.transpose(s, [1, 0, 2])[::direction] for s in sequences]
    specs = [tf.TensorSpec([None, t.shape[-1]], t.dtype) for t in (*carry, *sequences)]

    @tf.function(autograph=False, input_signature=specs)
    def body(*elements: Any) -> list[Any]:
        new_carry, out = step(elements[: len(carry)], list(elements[len(carry) :]))
        return [tf.identity(t) for t in (*new_carry, *out)]

    graph = body.get_concrete_function().graph
    inner = [t for t in graph.inputs if t.dtype != tf.resource]
    names = [[tensor.name for tensor in tensors] for tensors in (inner, graph.outputs)]
    converted = convert_graph(graph.as_graph_def(), *names)
    results = insert(
        "Scan",
        [*carry, *sequences],
        [c.shape for c in carry] + [(None, None, width) for width in widths],
        {
            "body": replace_placeholders(converted, current().operators).graph,
            "num_scan_inputs": len(sequences),
        },
        captured={tensor.name: outer for outer, tensor in graph.captures},
    )
    stacks = [tf.transpose(s[::direction], [1, 0, 2]) for s in results[len(carry) :]]
    return tuple(results[: len(carry)]), tuple(stacks)


# Single operations.


@implement(linear_chain.logsumexp, "onnx")
def logsumexp_onnx(x: Any, axis: int) -> Any:
    """Compute `keras_seq.scan.linear_chain.logsumexp` by one operator.

    Args:
        x: Tensor of finite numbers.
        axis: Axis to reduce.
    """
    shape = [size for index, size in enumerate(x.shape) if index != axis % len(x.shape)]
    return insert("ReduceLogSumExp", [x, np.array([axis])], [shape], {"keepdims": 0})[0]


@implement(layers.BigramLookup.lookup, "onnx")
def lookup_onnx(bigrams: layers.BigramLookup, keys: Any) -> Any:
    """Compute `BigramLookup.lookup` by a lookup table of ONNX.

    Args:
        bigrams: Layer with the known bigrams.
        keys: int32 keys of bigrams, of any shape.
    """
    (rows,) = insert(
        "LabelEncoder",
        [tf.cast(keys, tf.int64)],
        [keys.shape],
        {
            "domain": "ai.onnx.ml",
            "keys_int64s": bigrams.keys.tolist(),
            "values_int64s": list(range(1, len(bigrams.keys) + 1)),
            "default_int64": 0,
        },
        dtype=tf.int64,
    )
    return tf.cast(rows, tf.int32)

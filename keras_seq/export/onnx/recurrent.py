"""Scans and loops over time as operators of ONNX: what our layers compute when they are exported.

The operators `LSTM`, `GRU` and `RNN` know lengths but no masks. So the steps that a mask leaves are
moved together before them, and their outputs are moved apart again: that holds for any mask. Other
cells and loops become the operator `Scan`.

Some runtimes compute some of these operators wrongly, see `keras_seq.export.onnx.native`. A
portable graph has the operator `Scan` in their place.
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
"""Last output `(batch, units)`, outputs `(batch, timesteps, units)` in the order computed, and the
final states."""


class Direction(NamedTuple):
    """A recurrent layer, as one direction of an operator."""

    native: NativeOperator
    units: int
    go_backwards: bool
    zero_output_for_mask: bool
    dtype: str


@implement(scan.scan, "onnx")
def scan_by_operator(
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
    """Run a cell as `keras_seq.scan.scan` does, by an operator of its own or by `Scan`.

    Args:
        cell, sequences, initial_state, mask, go_backwards, unroll, zero_output_for_mask: As of
            `keras_seq.scan.scan`.
        return_sequences, use_cudnn, checkpoint, training: As of `keras_seq.scan.scan`; they change
            nothing.
    """
    native = native_operator(cell)
    if native is None or not is_allowed(native, mask):
        return scan_steps(cell, sequences, initial_state, mask, go_backwards, zero_output_for_mask)
    rest = go_backwards, zero_output_for_mask, sequences.dtype
    return run_directions(
        [Direction(native, cell.units, *rest)], sequences, list(initial_state), mask
    )[0]


def is_allowed(native: NativeOperator, mask: Any) -> bool:
    """Return whether the running export may have an operator: a portable graph lacks some."""
    return not (current().portable and native.pitfalls(mask is not None))


# One operator.


class _Mask:
    """The steps that a mask leaves.

    Attributes:
        mask: Bools `(batch, timesteps)`; None if there is no mask.
        lengths: Number of steps that are left, `(batch,)`.
        until: Number of them until each step, it included, `(batch, timesteps)`.
    """

    def __init__(self, mask: Any) -> None:
        self.mask: Any = None if mask is None else tf.cast(mask, tf.bool)
        self.lengths: Any = None
        self.until: Any = None
        if mask is not None:
            self._flags = tf.cast(self.mask, tf.int32)
            self.lengths = tf.reduce_sum(self._flags, axis=1)
            self.until = tf.cumsum(self._flags, axis=1)

    def move_first(self, x: Any) -> Any:
        """Return a sequence with the steps that are left first, in their order."""
        if self.mask is None:
            return x
        timesteps = tf.shape(self.mask)[1]
        order = tf.math.top_k(self._flags * timesteps - tf.range(timesteps), k=timesteps).indices
        return tf.gather(x, order, batch_dims=1)


def _operator(
    directions: list[Direction], sequences: Any, initial_state: list[Any], mask: _Mask
) -> list[Any]:
    """Return the outputs of an operator.

    Returns:
        Y `(timesteps, directions, batch, units)`, then each final state `(directions, batch,
        units)`.
    """
    native, units, backwards = directions[0].native, directions[0].units, directions[0].go_backwards
    num_states = 2 if native.type == "LSTM" else 1
    x = mask.move_first(tf.cast(sequences, tf.float32))
    weights = [np.stack(w) for w in zip(*(d.native.weights for d in directions), strict=True)]
    inputs = [tf.transpose(x, [1, 0, 2]), *weights[:3], mask.lengths, *initial_state]
    inputs += [None] * (7 - len(inputs)) + weights[3:]
    count = len(directions)
    return insert(
        native.type,
        inputs,
        [(None, count, None, units)] + [(count, None, units)] * num_states,
        {
            "hidden_size": units,
            "direction": "bidirectional" if count == 2 else "reverse" if backwards else "forward",
            "activations": [name for d in directions for name in d.native.activations],
            **native.attributes,
        },
    )


def run_directions(
    directions: list[Direction], sequences: Any, initial_state: list[Any] | None, mask: Any
) -> list[Result]:
    """Return the result of each direction of one operator."""
    masked = _Mask(mask)
    initial = [tf.cast(state, tf.float32)[None] for state in initial_state or ()]
    y, *finals = _operator(directions, sequences, initial, masked)
    results = []
    for index, (_, _, backwards, zeros, dtype) in enumerate(directions):
        outputs, last = tf.transpose(y[:, index], [1, 0, 2]), finals[0][index]
        states = [state[index] for state in finals]
        if masked.mask is not None:
            # A masked step repeats the step before it, in the order computed.
            place = masked.until - tf.cast(masked.mask if backwards else True, tf.int32)
            outputs = tf.gather(outputs, tf.maximum(place, 0), batch_dims=1)
            if zeros:
                outputs = tf.where(masked.mask[:, :, None], outputs, 0.0)
                last = outputs[:, 0 if backwards else -1]
            elif not backwards:
                outputs = tf.where(masked.until[:, :, None] > 0, outputs, 0.0)
            if initial:  # which a row without any step keeps
                some, pairs = masked.lengths[:, None] > 0, zip(states, initial, strict=True)
                states = [tf.where(some, new, old[0]) for new, old in pairs]
        if backwards:
            outputs = outputs[:, ::-1]
        result = (last, outputs, states)
        results.append(tree.map_structure(lambda t, d=dtype: tf.cast(t, d), result))
    return results


def merge_outputs(directions: list[Direction], sequences: Any, mask: Any) -> Any:
    """Return the outputs of a plain Bidirectional layer, `(batch, timesteps, 2 * units)`."""
    masked = _Mask(mask)
    y, *_ = _operator(directions, sequences, [], masked)
    outputs = tf.transpose(y, [2, 0, 1, 3])
    if masked.mask is not None:
        outputs = tf.gather(outputs, tf.maximum(masked.until - 1, 0), batch_dims=1)
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
    """Run a cell as `keras_seq.scan.general` does, by the operator `Scan` over its `step`."""
    inputs, carry, step = prepare_loop(cell, sequences, initial_state, mask, zero_output_for_mask)

    def scan_step(carry: Any, elements: Any) -> tuple[Any, Any]:
        output, states = step(elements[0], carry)
        return tuple(states), (output,)

    widths = [output_size(cell)]
    carry, (outputs,) = loop_by_operator(scan_step, tuple(carry), [inputs], widths, go_backwards)
    if go_backwards:
        outputs = outputs[:, ::-1]
    return outputs[:, -1], outputs, list(carry)[: len(initial_state)]


@implement(scan_loop.loop, "onnx")
def loop_by_operator(
    step: Callable[..., Any],
    carry: tuple[Any, ...],
    sequences: Any,
    widths: Any,
    reverse: bool = False,
    step_range: None = None,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Run a loop over time as `keras_seq.scan.loop.loop` does, by the operator `Scan`.

    Args:
        step, carry, sequences, widths, reverse: As of `keras_seq.scan.loop.loop`.
        step_range: None, since nothing is filled up for an export.
    """
    sequences = [
        s.sequence[:, :, s.start : s.start + s.width] if isinstance(s, scan_loop.Columns) else s
        for s in sequences
        if s is not None
    ]
    # Along the first axis and forward, since onnx.reference scans no other way.
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
def logsumexp_by_operator(x: Any, axis: int) -> Any:
    """Compute `keras_seq.scan.linear_chain.logsumexp` by one operator.

    Args:
        x: Tensor of finite numbers.
        axis: Axis to sum over.
    """
    shape = [size for number, size in enumerate(x.shape) if number != axis % len(x.shape)]
    return insert("ReduceLogSumExp", [x, np.array([axis])], [shape], {"keepdims": 0})[0]


@implement(layers.BigramLookup.lookup, "onnx")
def bigrams_by_operator(bigrams: layers.BigramLookup, keys: Any) -> Any:
    """Look up bigrams as `BigramLookup.lookup` does, in a table of ONNX.

    Args:
        bigrams: Layer with the known pairs.
        keys: Keys of bigrams, see `BigramLookup.lookup`.
    """
    (numbers,) = insert(
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
    return tf.cast(numbers, tf.int32)

"""Recurrent cells whose inputs, states or outputs are nests of tensors, as Keras's guide has them.

A loop over time steps carries single tensors. So the leaves of each nest are laid side by side in
one tensor before the loop, and taken apart again within the cell and after the loop.
"""

import itertools
import math
from typing import Any

from keras import ops, tree
from keras.layers import StackedRNNCells

from keras_seq._internal.keras_compat import takes_training
from keras_seq.cells import Step
from keras_seq.scan import general_scan


def is_nested(cell: Any, sequences: Any) -> bool:
    """Return whether the inputs, the outputs or a state are more than a tensor `(batch, n)`."""
    if tree.is_nested(sequences):
        return True
    if isinstance(cell, StackedRNNCells):  # whose states Keras's loops know
        return False
    sizes = [getattr(cell, "output_size", None)]
    sizes += cell.state_size if isinstance(cell.state_size, (list, tuple)) else []
    return not all(size is None or isinstance(size, int) for size in sizes)


def zero_states(cell: Any, batch_size: Any) -> list:
    """Return the initial states of a cell that has `state_size` but no `get_initial_state`."""
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    shapes = [(size,) if isinstance(size, int) else tuple(size) for size in sizes]
    return [ops.zeros((batch_size, *shape), dtype=cell.compute_dtype) for shape in shapes]


class Layout:
    """The place of each leaf of a nest in one tensor.

    Args:
        nest: Nest of tensors, of which all axes but the leading ones are known.
        leading: Number of leading axes, which all leaves share.
        dtype: Type of the one tensor.
    """

    def __init__(self, nest: Any, leading: int, dtype: str) -> None:
        self.nest, self.dtype = nest, dtype
        self.shapes = [tuple(leaf.shape[leading:]) for leaf in tree.flatten(nest)]
        self.sizes = [math.prod(shape) for shape in self.shapes]

    def pack(self, nest: Any) -> Any:
        """Return the one tensor."""
        leaves = [ops.cast(leaf, self.dtype) for leaf in tree.flatten(nest)]
        flat = [
            ops.reshape(leaf, (*ops.shape(leaf)[: len(leaf.shape) - len(shape)], size))
            for leaf, shape, size in zip(leaves, self.shapes, self.sizes, strict=True)
        ]
        return ops.concatenate(flat, axis=-1)

    def unpack(self, packed: Any) -> Any:
        """Return the nest."""
        ends = list(itertools.accumulate(self.sizes))[:-1]
        flat = ops.split(packed, ends, axis=-1) if ends else [packed]
        leaves = [
            ops.reshape(leaf, (*ops.shape(packed)[:-1], *shape))
            for leaf, shape in zip(flat, self.shapes, strict=True)
        ]
        return tree.pack_sequence_as(self.nest, leaves)


class PackedCell:
    """A cell as `keras_seq.scan` takes it, with one tensor for each nest.

    Args:
        cell: A `keras.layers.Layer` with `call(inputs, states)`, built.
        sequences: Nest of tensors `(batch, timesteps, ...)`.
        states: Nest of tensors `(batch, ...)`.
        options: Further arguments of the call.
    """

    def __init__(self, cell: Any, sequences: Any, states: Any, **options: Any) -> None:
        self.cell, self.options, self.compute_dtype = cell, options, cell.compute_dtype
        self.inputs = Layout(sequences, 2, self.compute_dtype)
        self.states = Layout(states, 1, self.compute_dtype)
        # What the outputs look like, a step alone tells.
        first = tree.map_structure(lambda s: s[:, 0], sequences)
        outputs, _ = cell(first, states, **options)
        self.outputs = Layout(outputs, 1, self.compute_dtype)
        self.output_size = sum(self.outputs.sizes)

    def project(self, inputs: Any) -> Any:
        return inputs

    def step(self, inputs: Any, states: list) -> Step:
        nests = self.inputs.unpack(inputs), self.states.unpack(states[0])
        output, new = self.cell(*nests, **self.options)
        return Step(self.outputs.pack(output), [self.states.pack(new)], {})


def call(layer: Any, sequences: Any, initial_state: Any, mask: Any, training: bool) -> Any:
    """Return what `keras_seq.layers.RNN` returns, for a cell of nests.

    Args:
        layer: The `RNN`, built.
        sequences, initial_state, mask, training: Those of its call.
    """
    cell = layer.cell
    if initial_state is None:
        rows = ops.shape(tree.flatten(sequences)[0])[0]
        initial_state = layer.states if layer.stateful else layer.get_initial_state(rows)
    states = tree.map_structure(lambda s: ops.cast(s, cell.compute_dtype), initial_state)
    options = {"training": training} if takes_training(cell) else {}
    packed = PackedCell(cell, sequences, states, **options)
    last, outputs, after = general_scan(
        packed,
        packed.inputs.pack(sequences),
        [packed.states.pack(states)],
        mask=mask,
        go_backwards=layer.go_backwards,
        unroll=layer.unroll,
        zero_output_for_mask=layer.zero_output_for_mask,
        return_sequences=layer.return_sequences,
    )
    results = packed.outputs.unpack(outputs if layer.return_sequences else last)
    results, new_states = tree.map_structure(
        lambda t: ops.cast(t, layer.compute_dtype), (results, packed.states.unpack(after[0]))
    )
    if layer.stateful:
        for variable, state in zip(tree.flatten(layer.states), tree.flatten(new_states)):
            variable.assign(state)
    return (results, *new_states) if layer.return_state else results

"""Recurrent cells whose inputs, states or outputs are nested structures of tensors.

The loop over time carries single tensors. The leaves of each structure are therefore concatenated
before the loop, and split inside the cell and after the loop.
"""

import itertools
import math
from typing import Any

import keras
from keras import ops, tree
from keras.layers import StackedRNNCells

from keras_seq._internal.keras_compat import takes_training
from keras_seq._internal.types import States, Tensor
from keras_seq.cells import Step
from keras_seq.scan import general_scan


def is_nested(cell: Any, sequences: Any) -> bool:
    """Return whether inputs, outputs or a state are not single tensors `(batch, features)`."""
    if tree.is_nested(sequences):
        return True
    if isinstance(cell, StackedRNNCells):  # Keras's loops support its states.
        return False
    sizes = [getattr(cell, "output_size", None)]
    sizes += cell.state_size if isinstance(cell.state_size, (list, tuple)) else []
    return not all(size is None or isinstance(size, int) for size in sizes)


def zero_states(cell: Any, batch_size: int | Tensor) -> States:
    """Return zero states for a cell that has `state_size` but no `get_initial_state`."""
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    shapes = [(size,) if isinstance(size, int) else tuple(size) for size in sizes]
    return [ops.zeros((batch_size, *shape), dtype=cell.compute_dtype) for shape in shapes]


class Layout:
    """Concatenation of the leaves of a nested structure in one tensor.

    Args:
        structure: Nested structure of tensors whose axes are known, except the leading ones.
        leading_axes: Number of leading axes, which all leaves share.
        dtype: Data type of the concatenation.
    """

    def __init__(self, structure: Any, leading_axes: int, dtype: str) -> None:
        self.structure, self.dtype = structure, dtype
        self.shapes = [tuple(leaf.shape[leading_axes:]) for leaf in tree.flatten(structure)]
        self.sizes = [math.prod(shape) for shape in self.shapes]

    def pack(self, structure: Any) -> Tensor:
        """Return the leaves of a structure as one tensor."""
        leaves = [ops.cast(leaf, self.dtype) for leaf in tree.flatten(structure)]
        flat = [
            ops.reshape(leaf, (*ops.shape(leaf)[: len(leaf.shape) - len(shape)], size))
            for leaf, shape, size in zip(leaves, self.shapes, self.sizes, strict=True)
        ]
        return ops.concatenate(flat, axis=-1)

    def unpack(self, packed: Tensor) -> Any:
        """Return the structure of a packed tensor."""
        ends = list(itertools.accumulate(self.sizes))[:-1]
        flat = ops.split(packed, ends, axis=-1) if ends else [packed]
        leaves = [
            ops.reshape(leaf, (*ops.shape(packed)[:-1], *shape))
            for leaf, shape in zip(flat, self.shapes, strict=True)
        ]
        return tree.pack_sequence_as(self.structure, leaves)


class PackedCell:
    """Adapter of a cell with nested structures for `keras_seq.scan`.

    Args:
        cell: A built `keras.layers.Layer` with `call(inputs, states)`.
        sequences: Nested structure of tensors `(batch, timesteps, ...)`.
        states: Nested structure of tensors `(batch, ...)`.
        **options: Further arguments of the call.
    """

    def __init__(self, cell: Any, sequences: Any, states: Any, **options: Any) -> None:
        self.cell, self.options, self.compute_dtype = cell, options, cell.compute_dtype
        self.inputs = Layout(sequences, 2, self.compute_dtype)
        self.states = Layout(states, 1, self.compute_dtype)
        # The structure of the outputs is known only after one step.
        inputs = tree.map_structure(lambda s: s[:, 0], sequences)
        outputs, _ = cell(inputs, states, **options)
        self.outputs = Layout(outputs, 1, self.compute_dtype)
        self.output_size = sum(self.outputs.sizes)

    def project(self, inputs: Tensor) -> Tensor:
        """Return the inputs, since the cell projects them itself."""
        return inputs

    def step(self, inputs: Tensor, states: States) -> Step:
        """Return the packed output and states after one time step.

        Args:
            inputs: Packed inputs `(batch, features)`.
            states: List of one packed tensor `(batch, features)`.
        """
        inputs, states = self.inputs.unpack(inputs), self.states.unpack(states[0])
        output, new_states = self.cell(inputs, states, **self.options)
        return Step(self.outputs.pack(output), [self.states.pack(new_states)], {})


def call(
    layer: keras.layers.RNN,
    sequences: Any,
    initial_state: Any,
    mask: Tensor | None,
    training: bool | None,
) -> Any:
    """Return the results of a call of `keras_seq.layers.RNN` whose cell has nested structures.

    Args:
        layer: The built layer.
        sequences: Nested structure of tensors `(batch, timesteps, ...)`.
        initial_state: Nested structure of tensors `(batch, ...)`, or None.
        mask: Bools `(batch, timesteps)`, or None.
        training: Whether dropout applies.
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

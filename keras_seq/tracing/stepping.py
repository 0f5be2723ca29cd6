"""Cells of every kind, opened: one time step, its gates by their names."""

import keras
from keras import ops, tree

from keras_seq import cells
from keras_seq._internal.keras_compat import AutocastScope
from keras_seq.cells import Step
from keras_seq.scan import has_projection

OURS = {
    keras.layers.SimpleRNNCell: cells.SimpleRNNCell,
    keras.layers.GRUCell: cells.GRUCell,
    keras.layers.LSTMCell: cells.LSTMCell,
}
"""Keras's cells, and ours of the same equations and weights."""


def cell_steppers(cell):
    """The cells of a layer as a list of `CellStepper`: one, or as many as it stacks."""
    if type(cell) is keras.layers.StackedRNNCells:
        return [part for below in cell.cells for part in cell_steppers(below)]
    return [CellStepper(cell)]


class CellStepper:
    """One time step of a cell: `part(x, states)` is a `keras_seq.cells.Step`.

    A cell that is neither ours, nor Keras's, nor has `project` and `step` shows no gates.

    Args:
        cell: As `keras.layers.RNN` takes it, built.
    """

    def __init__(self, cell):
        sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
        count = len(tree.flatten(sizes))
        self.names = ["h", "c"][:count] if count < 3 else [f"state_{n}" for n in range(count)]
        self.dtype = getattr(cell, "compute_dtype", None)
        if type(cell) in OURS:
            cell = _KerasCellAdapter(cell)
        self.cell = cell if has_projection(cell) else _OpaqueCell(cell, sizes)

    def __call__(self, x, states):
        # The cell's own precision holds, as if it had been called.
        with AutocastScope(self.dtype):
            x = ops.cast(x, self.dtype) if self.dtype else x
            return self.cell.step(self.cell.project(x), states)


class _KerasCellAdapter:
    """One of Keras's cells, whose weights our equations read where they are."""

    def __init__(self, cell):
        self.cell, self.equations = cell, OURS[type(cell)]

    def __getattr__(self, name):
        return getattr(self.cell, name)

    def drop_state(self, state, training=False):
        return state

    def activate(self, z):
        return self.equations.activate(self, z)

    def gate(self, z):
        return self.equations.gate(self, z)

    def project(self, inputs):
        return self.equations.project(self, inputs)

    def step(self, projected, states):
        return self.equations.step(self, projected, states)


class _OpaqueCell:
    """Any other cell: its states can be seen, but not its gates."""

    def __init__(self, cell, sizes):
        self.cell, self.sizes = cell, sizes

    def project(self, inputs):
        return inputs

    def step(self, inputs, states):
        call = self.cell if callable(self.cell) else self.cell.call
        output, new = call(inputs, tree.pack_sequence_as(self.sizes, states))
        return Step(output, tree.flatten(new), {})


def steps(parts, inputs, states, seen=None, zero_output_for_mask=False, moves=None):
    """Takes one time step after the other, in the order computed.

    Args:
        parts: Of a layer, see `cell_steppers`.
        inputs: A tensor `(batch, features)` a time step.
        states: Those before the first step, of all parts in one list.
        seen: Bools `(batch,)` a time step, False where it is to be skipped; or None.
        zero_output_for_mask: Whether skipped steps put out zeros, not the output before them.
        moves: For each time step what to add to the new states of all parts, one list.

    Yields:
        For each time step a `Step` a part. Where a step is skipped, output and states are those
        that are kept, and the gates what they would have been.
    """
    states, outputs = list(states), [None] * len(parts)
    for t, x in enumerate(inputs):
        found, before, states = [], states, []
        for number, part in enumerate(parts):
            old, before = before[: len(part.names)], before[len(part.names) :]
            new = part(x, old)
            if moves is not None:
                new = _moved(new, moves[t][len(states) :])
            x = new.output
            if seen is not None:
                output = outputs[number]
                if output is None or zero_output_for_mask:
                    output = ops.zeros_like(new.output)
                new = _where(seen[t], new, Step(output, old, new.gates))
            outputs[number] = new.output
            states += new.states
            found.append(new)
        yield found


def _moved(step, moves):
    """A step with other states, and the output with them if it is one of these."""
    output, states = step.output, []
    for state, move in zip(step.states, moves):
        states.append(state + ops.cast(move, state.dtype))
        if step.output is state:
            output = states[-1]
    return Step(output, states, step.gates)


def _where(seen, step, kept):
    def chosen(new, old):
        return ops.where(ops.reshape(seen, (-1, *[1] * (len(new.shape) - 1))), new, old)

    states = [chosen(*pair) for pair in zip(step.states, kept.states)]
    return Step(chosen(step.output, kept.output), states, step.gates)

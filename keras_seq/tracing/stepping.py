"""Recurrent cells run one time step at a time, with their gates."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
from keras import ops, tree

from keras_seq import cells
from keras_seq._internal.keras_compat import AutocastScope
from keras_seq._internal.types import States, Tensor
from keras_seq.cells import Step
from keras_seq.scan import has_projection

EQUIVALENT_CELLS = {
    keras.layers.SimpleRNNCell: cells.SimpleRNNCell,
    keras.layers.GRUCell: cells.GRUCell,
    keras.layers.LSTMCell: cells.LSTMCell,
}
"""Cells of Keras, and those of keras-seq with the same equations and weights."""


def cell_steppers(cell: Any) -> list["CellStepper"]:
    """Return a stepper for the cell of a layer, or for each of its stacked cells."""
    if type(cell) is keras.layers.StackedRNNCells:
        return [stepper for stacked in cell.cells for stepper in cell_steppers(stacked)]
    return [CellStepper(cell)]


class CellStepper:
    """Wrapper that runs one time step of any cell: `stepper(x, states)` returns a `Step`.

    Gates are known for cells of Keras and of keras-seq, and for cells with `project` and `step`.

    Args:
        cell: Built cell, as `keras.layers.RNN` takes it.
    """

    def __init__(self, cell: Any) -> None:
        sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
        count = len(tree.flatten(sizes))
        self.state_names = ["h", "c"][:count] if count < 3 else [f"state_{n}" for n in range(count)]
        self.dtype = getattr(cell, "compute_dtype", None)
        if type(cell) in EQUIVALENT_CELLS:
            cell = _KerasCellAdapter(cell)
        self.cell = cell if has_projection(cell) else _OpaqueCell(cell, sizes)

    def __call__(self, x: Tensor, states: States) -> Step:
        # The precision is that of a call of the cell.
        with AutocastScope(self.dtype):
            x = ops.cast(x, self.dtype) if self.dtype else x
            return self.cell.step(self.cell.project(x), states)


class _KerasCellAdapter:
    """Cell of Keras with the methods of the equivalent cell of keras-seq, on the same weights."""

    def __init__(self, cell: Any) -> None:
        self.cell = cell
        self.equations: Any = EQUIVALENT_CELLS[type(cell)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cell, name)

    def drop_state(self, state: Tensor, training: bool = False) -> Tensor:
        return state

    def activate(self, z: Tensor) -> Tensor:
        return self.equations.activate(self, z)

    def gate(self, z: Tensor) -> Tensor:
        return self.equations.gate(self, z)

    def project(self, inputs: Tensor) -> Tensor:
        return self.equations.project(self, inputs)

    def step(self, projected: Tensor, states: States) -> Step:
        return self.equations.step(self, projected, states)


class _OpaqueCell:
    """Cell without `project` and `step`: its states are visible, but not its gates."""

    def __init__(self, cell: Any, sizes: Any) -> None:
        self.cell, self.sizes = cell, sizes

    def project(self, inputs: Tensor) -> Tensor:
        return inputs

    def step(self, inputs: Tensor, states: States) -> Step:
        call = self.cell if callable(self.cell) else self.cell.call
        output, new_states = call(inputs, tree.pack_sequence_as(self.sizes, states))
        return Step(output, tree.flatten(new_states), {})


def run_steps(
    steppers: Sequence[CellStepper],
    inputs: Iterable[Tensor],
    states: States,
    mask: Sequence[Tensor] | None = None,
    zero_output_for_mask: bool = False,
    perturbations: Sequence[States] | None = None,
) -> Iterator[list[Step]]:
    """Run the cells of a layer one time step at a time, in the order in which it computes them.

    Args:
        steppers: Steppers of the cells, see `cell_steppers`.
        inputs: Inputs of each time step, `(batch, features)`.
        states: States of all cells before the first time step.
        mask: Bools of each time step, `(batch,)`, False to skip. Default: none is skipped.
        zero_output_for_mask: Whether the outputs of skipped time steps are zero. If not, they
            repeat the last output.
        perturbations: Tensors to add to the new states of all cells, for each time step.

    Yields:
        For each time step the `Step` of each cell. Skipped time steps keep output and states;
        their gates are those that a computed step would have.
    """
    states = list(states)
    outputs: list[Tensor | None] = [None] * len(steppers)
    for t, sequence_input in enumerate(inputs):
        results, remaining, states, x = [], states, [], sequence_input
        for index, stepper in enumerate(steppers):
            count = len(stepper.state_names)
            old, remaining = remaining[:count], remaining[count:]
            new = stepper(x, old)
            if perturbations is not None:
                new = _perturb(new, perturbations[t][len(states) :])
            x = new.output
            if mask is not None:
                output = outputs[index]
                if output is None or zero_output_for_mask:
                    output = ops.zeros_like(new.output)
                new = _where(mask[t], new, Step(output, old, new.gates))
            outputs[index] = new.output
            states += new.states
            results.append(new)
        yield results


def _perturb(step: Step, perturbations: States) -> Step:
    """Add tensors to the states of a step, and to its output if that is one of the states."""
    output, states = step.output, []
    for state, perturbation in zip(step.states, perturbations, strict=False):
        states.append(state + ops.cast(perturbation, state.dtype))
        if step.output is state:
            output = states[-1]
    return Step(output, states, step.gates)


def _where(mask: Tensor, step: Step, kept: Step) -> Step:
    """Return a step where the mask is True, and the kept output and states elsewhere."""

    def select(new: Tensor, old: Tensor) -> Tensor:
        return ops.where(ops.reshape(mask, (-1, *[1] * (len(new.shape) - 1))), new, old)

    states = [select(*pair) for pair in zip(step.states, kept.states, strict=True)]
    return Step(select(step.output, kept.output), states, step.gates)

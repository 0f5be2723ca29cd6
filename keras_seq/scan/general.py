"""General loop for any cell and backend, the reference for the faster implementations."""

from collections.abc import Callable
from typing import Any, TypeAlias

from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.float64 import is_float64
from keras_seq._internal.keras_compat import rnn
from keras_seq._internal.types import States, Tensor
from keras_seq.cells.base import Step, get_step

LoopStep: TypeAlias = Callable[[Tensor, States], tuple[Tensor, States]]
"""Function from the inputs of a step and the states to the output and the new states."""


def has_projection(cell: Any) -> bool:
    """Return whether a cell has `project` and `step`, so that inputs are projected at once."""
    return callable(getattr(cell, "project", None)) and callable(getattr(cell, "step", None))


def general_scan(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None = None,
    go_backwards: bool = False,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
    training: bool | None = False,
) -> tuple[Tensor, Tensor, States]:
    """Project the whole sequence at once, then run `cell.step` for each time step.

    A masked step keeps the states. Its output repeats the previous output (zeros at the start), or
    is zero with `zero_output_for_mask`. Masks are not passed to Keras's loop, which treats masked
    steps differently on each backend.

    Args:
        cell: Cell with `project` and `step`.
        sequences: `(batch, timesteps, features)`.
        initial_state: Initial states, each `(batch, units)`.
        mask: None or bools `(batch, timesteps)`, False at steps to skip.
        go_backwards: Whether to start at the last time step.
        unroll: Whether to unroll the loop, which needs a known number of time steps.
        zero_output_for_mask: Whether the outputs of masked steps are zeros.
        return_sequences: Whether all outputs are needed.
        training: Whether recurrent dropout applies.

    Returns:
        As `keras_seq.scan.scan`.
    """
    inputs, states, step = prepare_loop(
        cell, sequences, initial_state, mask, zero_output_for_mask, training
    )
    last_output, outputs, states = rnn(
        step,
        inputs,
        states,
        go_backwards=go_backwards,
        unroll=unroll,
        input_length=sequences.shape[1],
        return_all_outputs=return_sequences,
    )
    return last_output, outputs, list(states if mask is None else states[:-1])


def prepare_loop(
    cell: Any,
    sequences: Tensor,
    initial_state: States,
    mask: Tensor | None,
    zero_output_for_mask: bool,
    training: bool | None = False,
) -> tuple[Tensor, States, LoopStep]:
    """Return the inputs, the initial states and the step function of a loop over time.

    The arguments are those of `general_scan`.

    Returns:
        Inputs `(batch, timesteps, n)`; initial states, followed by the last output if there is a
        mask; and a function from the inputs of a step and the states to the output `(batch, units)`
        and the new states.
    """
    projected = cell.project(sequences)
    _check_projected(cell, projected, sequences)
    cell_step = get_step(cell, training)
    if mask is None:
        return projected, list(initial_state), _plain_step(cell, cell_step)
    # The mask is appended as a column, since Keras's loop takes a single tensor if the number of
    # time steps is unknown.
    column = ops.cast(ops.expand_dims(mask, -1), projected.dtype)
    states = [*initial_state, _zero_output(cell, sequences)]
    inputs = ops.concatenate([projected, column], axis=-1)
    return inputs, states, _masked_step(cell, cell_step, zero_output_for_mask)


def _plain_step(cell: Any, cell_step: Callable[[Tensor, States], Step]) -> LoopStep:
    def step(projected: Tensor, states: States) -> tuple[Tensor, States]:
        new = _checked_step(cell, cell_step, projected, list(states))
        return new.output, list(new.states)

    return step


def _masked_step(
    cell: Any, cell_step: Callable[[Tensor, States], Step], zero_output_for_mask: bool
) -> LoopStep:
    def step(projected_and_mask: Tensor, states_and_output: States) -> tuple[Tensor, States]:
        projected, column = projected_and_mask[:, :-1], projected_and_mask[:, -1:]
        *states, output = states_and_output
        new = _checked_step(cell, cell_step, projected, states)
        is_unmasked = ops.cast(column, "bool")
        masked_output = ops.zeros_like(output) if zero_output_for_mask else output
        output = ops.where(is_unmasked, new.output, masked_output)
        kept = [ops.where(is_unmasked, *pair) for pair in zip(new.states, states, strict=True)]
        return output, [*kept, output]

    return step


def _check_projected(cell: Any, projected: Any, sequences: Tensor) -> None:
    """Raise an error for a projection without the batch and time axes of its inputs."""
    shape = getattr(projected, "shape", None)
    if shape is None or len(shape) != 3 or tuple(shape[:2]) != tuple(sequences.shape[:2]):
        got = f"shape {tuple(shape)}" if shape is not None else f"a {type(projected).__name__}"
        raise InputError(
            f"{type(cell).__name__}.project must keep batch and time axes: for inputs of shape "
            f"{tuple(sequences.shape)} it must return one tensor (batch, timesteps, n), got {got}."
        )


def _checked_step(
    cell: Any, cell_step: Callable[[Tensor, States], Step], projected: Tensor, states: States
) -> Step:
    """Return the step of a cell; raise an error if the loop cannot continue from it."""
    name, new = type(cell).__name__, cell_step(projected, states)
    if not hasattr(new, "output") or not hasattr(new, "states"):
        raise InputError(
            f"{name}.step must return a `keras_seq.cells.Step` with output, states and gates, "
            f"got a {type(new).__name__}."
        )
    before, after = ([tuple(s.shape) for s in group] for group in (states, new.states))
    if [shape[1:] for shape in before] != [shape[1:] for shape in after]:
        raise InputError(
            f"{name}.step must return states of the shapes it takes, {before}, got {after}."
        )
    if is_float64(states[0]) and not all(map(is_float64, [new.output, *new.states])):
        dtypes = ", ".join(str(t.dtype) for t in [new.output, *new.states])
        raise InputError(
            f"{name}.step takes float64 and must return it, got {dtypes}. Some operations of Keras "
            "return float32; use `keras_seq.cells.RecurrentCell.activate`, which keeps float64."
        )
    return new


def output_size(cell: Any) -> int:
    """Return the number of output features of a cell."""
    units = getattr(cell, "output_size", None)
    if units is None:
        units = cell.state_size if isinstance(cell.state_size, int) else cell.state_size[0]
    return units


def _zero_output(cell: Any, sequences: Tensor) -> Tensor:
    shape = ops.shape(sequences)[0], output_size(cell)
    return ops.zeros(shape, dtype=cell.compute_dtype)

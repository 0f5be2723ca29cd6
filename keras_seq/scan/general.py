"""The general loop: any cell, any backend. It is the truth that faster ways must equal."""

from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.float64 import is_float64
from keras_seq._internal.keras_compat import rnn
from keras_seq.cells.base import get_step


def has_projection(cell):
    """Whether a cell offers `project` and `step`, so that its projection can leave the loop."""
    return callable(getattr(cell, "project", None)) and callable(getattr(cell, "step", None))


def general_scan(
    cell,
    sequences,
    initial_state,
    mask=None,
    go_backwards=False,
    unroll=False,
    zero_output_for_mask=False,
    return_sequences=True,
    training=False,
):
    """Projects the whole sequence in one product, then takes one `cell.step` after the other.

    A masked step leaves the states as they were, and its output repeats the output before it
    (zeros at the start), or is zeros with `zero_output_for_mask`. The masking is done here, not by
    Keras's loop, which treats masked steps differently from backend to backend.

    Args:
        cell: A cell with `project` and `step`.
        sequences: `(batch, timesteps, features)`.
        initial_state: List of tensors `(batch, units)`.
        mask: None or bools `(batch, timesteps)`; False where a step is to be skipped.
        go_backwards: Whether to start at the last time step.
        unroll: Whether to write the loop out; needs a known number of time steps.
        zero_output_for_mask: Whether masked steps put out zeros.
        return_sequences: Whether all outputs are wanted.
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


def prepare_loop(cell, sequences, initial_state, mask, zero_output_for_mask, training=False):
    """What a loop over time steps needs.

    Args:
        cell, sequences, initial_state, mask, zero_output_for_mask, training: As in `general_scan`.

    Returns:
        What each step takes of the sequences, `(batch, timesteps, n)`; the list of what goes from
        step to step, the states first; and `step(inputs, states)`, which returns the output
        `(batch, units)` and the new list.
    """
    projected = cell.project(sequences)
    _check_projected(cell, projected, sequences)
    take = get_step(cell, training)
    if mask is None:
        return projected, list(initial_state), _plain_step(cell, take)
    # The mask travels as one more column, since Keras's loop takes a single tensor when the
    # number of time steps is unknown. The last output travels with the states.
    column = ops.cast(ops.expand_dims(mask, -1), projected.dtype)
    states = [*initial_state, _zero_output(cell, sequences)]
    inputs = ops.concatenate([projected, column], axis=-1)
    return inputs, states, _masked_step(cell, take, zero_output_for_mask)


def _plain_step(cell, take):
    def step(projected, states):
        new = _checked_step(cell, take, projected, list(states))
        return new.output, list(new.states)

    return step


def _masked_step(cell, take, zero_output_for_mask):
    def step(projected_and_mask, states_and_output):
        projected, column = projected_and_mask[:, :-1], projected_and_mask[:, -1:]
        *states, output = states_and_output
        new = _checked_step(cell, take, projected, states)
        seen = ops.cast(column, "bool")
        masked_output = ops.zeros_like(output) if zero_output_for_mask else output
        output = ops.where(seen, new.output, masked_output)
        kept = [ops.where(seen, *pair) for pair in zip(new.states, states, strict=True)]
        return output, [*kept, output]

    return step


def _check_projected(cell, projected, sequences):
    """Refuses a projection that the loop could not take apart by time step."""
    shape = getattr(projected, "shape", None)
    if shape is None or len(shape) != 3 or tuple(shape[:2]) != tuple(sequences.shape[:2]):
        found = f"shape {tuple(shape)}" if shape is not None else f"a {type(projected).__name__}"
        raise InputError(
            f"{type(cell).__name__}.project must keep batch and time: for inputs of shape "
            f"{tuple(sequences.shape)} one tensor (batch, timesteps, n), got {found}."
        )


def _checked_step(cell, take, projected, states):
    """What a step of the cell returns, refused if the loop could not go on with it."""
    name, new = type(cell).__name__, take(projected, states)
    if not hasattr(new, "output") or not hasattr(new, "states"):
        raise InputError(
            f"{name}.step must return a `keras_seq.cells.Step` with output, states and gates, "
            f"got a {type(new).__name__}."
        )
    before, after = ([tuple(s.shape) for s in group] for group in (states, new.states))
    if [shape[1:] for shape in before] != [shape[1:] for shape in after]:
        raise InputError(
            f"{name}.step must return states of the shapes of those before, {before}, got {after}."
        )
    if is_float64(states[0]) and not all(map(is_float64, [new.output, *new.states])):
        found = ", ".join(str(t.dtype) for t in [new.output, *new.states])
        raise InputError(
            f"{name}.step gets float64 and must return it, got {found}: some operations of Keras "
            "narrow it; `keras_seq.cells.RecurrentCell.activate` does not."
        )
    return new


def output_size(cell):
    """The width of the output of a cell."""
    units = getattr(cell, "output_size", None)
    if units is None:
        units = cell.state_size if isinstance(cell.state_size, int) else cell.state_size[0]
    return units


def _zero_output(cell, sequences):
    shape = ops.shape(sequences)[0], output_size(cell)
    return ops.zeros(shape, dtype=cell.compute_dtype)

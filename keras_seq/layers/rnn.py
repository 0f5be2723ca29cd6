"""`keras.layers.RNN` with the input projection of its cell hoisted out of the loop."""

import keras
from keras import ops, tree
from keras.src.backend import AutocastScope  # Keras exports no name for it

from keras_seq.errors import InputError
from keras_seq.scan import projects, scan


@keras.saving.register_keras_serializable(package="keras_seq")
class RNN(keras.layers.RNN):
    """Runs any recurrent cell over a sequence; drop-in for `keras.layers.RNN`.

    A cell with `project` and `step` (all of `keras_seq.cells`, and any cell of your own that
    has the two) runs through `keras_seq.scan`. Every other cell runs as in Keras.

    Args:
        cell: The cell, or a list of cells to stack.
        return_sequences: Whether to return the outputs of all time steps, not the last alone.
        return_state: Whether to return the final states too.
        go_backwards: Whether to read the sequence from its end; the outputs come in that order.
        stateful: Whether a batch starts from the final states of the batch before.
        unroll: Whether to write the loop out: faster for a few steps, slow to start for many.
        zero_output_for_mask: Whether masked time steps put out zeros; otherwise they repeat the
            output before them.
        checkpoint: Whether training keeps only some states and computes the rest again, chunk by
            chunk, for the gradient: for long sequences, in memory that grows as the square root
            of their length. The steps of the cell must not be random.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: List of states, each `(batch, units)`. Default: zeros.
        mask: Bools `(batch, timesteps)`, False where a time step is to be skipped; it may be
            False anywhere.
        training: Whether dropout applies.

    Returns:
        The last output `(batch, units)`, or all `(batch, timesteps, units)`; with `return_state`
        followed by the final states.

    Raises:
        InputError: The sequences, a state or the mask do not fit.
    """

    def __init__(self, cell, return_sequences=False, *args, checkpoint=False, **kwargs):
        super().__init__(cell, return_sequences, *args, **kwargs)
        if checkpoint and not projects(self.cell):
            raise InputError(
                f"{type(self).__name__}: `checkpoint` needs a cell with `project` and `step`, "
                f"and {type(self.cell).__name__} lacks them."
            )
        if checkpoint and getattr(self.cell, "recurrent_dropout", 0):
            raise InputError(
                f"{type(self).__name__}: `checkpoint` computes steps twice, so that they must not "
                "be random: use `dropout` in place of `recurrent_dropout`."
            )
        self.checkpoint = checkpoint

    def get_config(self):
        return {**super().get_config(), "checkpoint": self.checkpoint}

    def __call__(self, sequences, initial_state=None, mask=None, **kwargs):
        self._check(sequences, initial_state, mask)
        return super().__call__(sequences, initial_state=initial_state, mask=mask, **kwargs)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not projects(self.cell):
            return super().inner_loop(sequences, initial_state, mask, training)
        if self.stateful:
            # torch writes the next state into the variable in place, which backpropagation
            # through this loop must not see.
            initial_state = tree.map_structure(ops.copy, initial_state)
        # The cell's own precision holds, as if it had been called.
        with AutocastScope(self.cell.compute_dtype):
            sequences = ops.cast(sequences, self.cell.compute_dtype)
            if hasattr(self.cell, "begin"):
                sequences = self.cell.begin(sequences, training)
            return scan(
                self.cell,
                sequences,
                initial_state,
                mask=tree.flatten(mask)[0],
                go_backwards=self.go_backwards,
                unroll=self.unroll,
                zero_output_for_mask=self.zero_output_for_mask,
                return_sequences=self.return_sequences,
                use_cudnn=getattr(self, "use_cudnn", False),
                checkpoint=self.checkpoint,
            )

    def _check(self, sequences, initial_state, mask):
        """Refuses, in one sentence, what would otherwise fail deep inside the loop."""
        name, shape = type(self).__name__, _shape(sequences)
        dtype = getattr(sequences, "dtype", "")
        dtype = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
        if dtype.startswith(("str", "bytes", "bool", "complex", "object")):
            raise InputError(f"{name}: sequences must be numbers, got dtype {dtype}.")
        if projects(self.cell):
            features = self.input_spec.axes.get(-1) if self.input_spec else None
            if not _agree(shape, (None, None, features)):
                raise InputError(
                    f"{name}: sequences must have the shape (batch, timesteps, "
                    f"{features or 'features'}), got {shape}."
                )
        # A symbolic input may still get its length from the data.
        if self.unroll and shape[1] is None and not isinstance(sequences, keras.KerasTensor):
            raise InputError(
                f"{name}: `unroll` needs a known number of time steps, got sequences of shape "
                f"{shape}; give them a length or turn `unroll` off."
            )
        if shape[1:2] == (0,):
            raise InputError(f"{name}: sequences of shape {shape} have no time step.")
        if mask is not None and not _agree(_shape(tree.flatten(mask)[0]), shape[:2]):
            raise InputError(
                f"{name}: the mask must be an array of the shape (batch, timesteps) of the "
                f"sequences, {shape[:2]}, got {_shape(tree.flatten(mask)[0])}."
            )
        if initial_state is not None and projects(self.cell):
            shapes = [_shape(state) for state in tree.flatten(initial_state)]
            wanted = [(*shape[:1], size) for size in self.state_size]
            if len(shapes) != len(wanted) or not all(map(_agree, shapes, wanted)):
                raise InputError(
                    f"{name}: initial_state must be {len(wanted)} tensor(s) of shape (batch, "
                    f"units), {wanted}, got {shapes}."
                )


def _shape(array):
    return tuple(getattr(array, "shape", ()))


def _agree(shape, other):
    """Whether two shapes can be the same, where None stands for a size not yet known."""
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )

"""`keras.layers.RNN` with the input projection of its cell hoisted out of the loop."""

import keras
from keras import ops, tree

from keras_seq._internal import keras_compat
from keras_seq._internal.errors import InputError
from keras_seq.layers.recurrent import nested
from keras_seq.scan import has_projection, scan
from keras_seq.scan.padding import zero_masked

REMEDIES = {
    "ragged": "pad it, as by its `to_tensor()`, and pass a mask",
    "sparse": "convert it, as by `tf.sparse.to_dense`",
}
"""Kinds of tensors that are not taken, and what to do about it."""


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
            output before them. The last output is that of the last step computed, so that it is
            zeros too if that step is masked, also without `return_sequences`.
        checkpoint: Whether training keeps only some states and computes the rest again, chunk by
            chunk, for the gradient: for long sequences, in memory that grows as the square root
            of their length. The steps of the cell must not be random.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: List of states, each `(batch, units)`, or `(1, units)` for all rows.
            Default: zeros.
        mask: Bools `(batch, timesteps)`, False where a time step is to be skipped; it may be
            False anywhere. Default: the mask of the layer before. What stands at such a step has
            no influence on outputs or gradients, even if it is NaN. The mask of the outputs is in
            their order: reversed with `go_backwards`.
        training: Whether dropout applies.

    Returns:
        The last output `(batch, units)`, or all `(batch, timesteps, units)`; with `return_state`
        followed by the final states.

    Raises:
        InputError: The sequences, a state or the mask do not fit.
    """

    def __init__(self, cell, return_sequences=False, *args, checkpoint=False, **kwargs):
        super().__init__(cell, return_sequences, *args, **kwargs)
        if checkpoint and not has_projection(self.cell):
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

    def build(self, sequences_shape, initial_state_shape=None):
        shapes = []
        tree.map_shape_structure(shapes.append, sequences_shape)
        if len(shapes) > 1 and not self.cell.built:
            self.cell.build(tree.map_shape_structure(lambda s: (s[0], *s[2:]), sequences_shape))
            self.cell.built = True
        super().build(shapes[0], initial_state_shape)

    def get_initial_state(self, batch_size):
        if hasattr(self.cell, "get_initial_state"):
            return super().get_initial_state(batch_size)
        return nested.zero_states(self.cell, batch_size)

    def reset_state(self):
        for variable in tree.flatten(self.states) if self.states is not None else []:
            variable.assign(ops.zeros_like(variable.value))

    def compute_output_spec(self, sequences, *args, **kwargs):
        if nested.is_nested(self.cell, sequences):
            # Of nests no shape can be told without a call.
            return keras.Operation.compute_output_spec(self, sequences, *args, **kwargs)
        return super().compute_output_spec(sequences, *args, **kwargs)

    def compute_mask(self, inputs, mask):
        mask = tree.flatten(mask)[0]
        if mask is not None and self.go_backwards and self.return_sequences:
            mask = ops.flip(mask, axis=1)
        return super().compute_mask(inputs, mask)

    def call(self, sequences, initial_state=None, mask=None, training=False):
        if mask is None:
            # Keras passes it on only if the sequences are the one tensor in the call.
            mask = tree.map_structure(keras_compat.get_keras_mask, sequences)
        mask = tree.flatten(mask)[0]
        if mask is not None:
            sequences = tree.map_structure(lambda s: zero_masked(s, mask), sequences)
        if nested.is_nested(self.cell, sequences):
            return nested.call(self, sequences, initial_state, mask, training)
        sequences, initial_state = self._share_batch(sequences, initial_state)
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not has_projection(self.cell):
            return super().inner_loop(sequences, initial_state, mask, training)
        if self.stateful:
            # torch writes the next state into the variable in place, which backpropagation
            # through this loop must not see.
            initial_state = tree.map_structure(ops.copy, initial_state)
        # The cell's own precision holds, as if it had been called.
        with keras_compat.AutocastScope(self.cell.compute_dtype):
            sequences = ops.cast(sequences, self.cell.compute_dtype)
            if hasattr(self.cell, "drop_inputs"):
                sequences = self.cell.drop_inputs(sequences, training)
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
                training=bool(training),
            )

    def _share_batch(self, sequences, initial_state):
        """Give sequences and states the batch size that either has."""
        states = []
        if initial_state is not None and has_projection(self.cell):
            states = tree.flatten(initial_state)
        if sequences.shape[0] is None:
            sizes = [keras_compat.stateful_batch_size(self)] if self.stateful else []
            # A state of one row fits any batch.
            sizes += [state.shape[0] for state in states if state.shape[0] not in (None, 1)]
            sequences = _set_batch_size(sequences, next(iter(sizes), None))
        batch, rows = sequences.shape[0], ops.shape(sequences)[0]

        def fit(state):
            if state.shape[0] == 1 and batch != 1:
                return ops.broadcast_to(state, (rows, *state.shape[1:]))
            return _set_batch_size(state, batch)

        return sequences, tree.map_structure(fit, initial_state) if states else initial_state

    def _check(self, sequences, initial_state, mask):
        """Refuses, in one sentence, what would otherwise fail deep inside the loop."""
        name = type(self).__name__
        leaves = tree.flatten(sequences)
        for leaf in leaves:
            _check_dense(name, leaf)
            if len(leaves) > 1 and not _is_compatible(_shape(leaf)[:2], _shape(leaves[0])[:2]):
                raise InputError(
                    f"{name}: all sequences must have the same batch and timesteps, got the shapes "
                    f"{[_shape(leaf) for leaf in leaves]}."
                )
        shape = _shape(leaves[0])
        if has_projection(self.cell):
            features = self.input_spec.axes.get(-1) if self.input_spec else None
            if not _is_compatible(shape, (None, None, features)):
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
        if mask is not None and not _is_compatible(_shape(tree.flatten(mask)[0]), shape[:2]):
            raise InputError(
                f"{name}: the mask must be an array of the shape (batch, timesteps) of the "
                f"sequences, {shape[:2]}, got {_shape(tree.flatten(mask)[0])}."
            )
        if initial_state is not None and has_projection(self.cell):
            shapes = [_shape(state) for state in tree.flatten(initial_state)]
            wanted = [(*shape[:1], size) for size in self.state_size]
            one_row = [(1, size) for size in self.state_size]
            fit = [_is_compatible(s, w) or s == one for s, w, one in zip(shapes, wanted, one_row)]
            if len(shapes) != len(wanted) or not all(fit):
                raise InputError(
                    f"{name}: initial_state must be {len(wanted)} tensor(s) of shape (batch, "
                    f"units), {wanted}, got {shapes}."
                )


def _set_batch_size(tensor, batch):
    """Tell TensorFlow, the only backend that may not know it, the batch size of a tensor."""
    if batch is None or tensor.shape[0] is not None:
        return tensor
    import tensorflow as tf

    return tf.ensure_shape(tensor, (batch, *tensor.shape[1:]))


def _check_dense(name, sequences):
    """Refuse what is no dense tensor of numbers."""
    dtype = getattr(sequences, "dtype", "")
    dtype = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
    if dtype.startswith(("str", "bytes", "bool", "complex", "object")):
        raise InputError(f"{name}: sequences must be numbers, got dtype {dtype}.")
    for kind, remedy in REMEDIES.items():
        if kind in type(sequences).__name__.lower() or getattr(sequences, kind, False):
            raise InputError(f"{name}: sequences must be dense, got a {kind} tensor: {remedy}.")


def _shape(array):
    return tuple(getattr(array, "shape", ()))


def _is_compatible(shape, other):
    """Whether two shapes can be the same, where None stands for a size not yet known."""
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )

"""`keras.layers.RNN` with the input projection of the cell outside the loop over time."""

from typing import Any

import keras
from keras import ops, tree

from keras_seq._internal import keras_compat
from keras_seq._internal.errors import InputError
from keras_seq._internal.types import ArrayLike, Config, Shape, States, Tensor
from keras_seq.layers.recurrent import nested
from keras_seq.scan import has_projection, scan
from keras_seq.scan.padding import zero_masked

REMEDIES = {
    "ragged": "pad it with `to_tensor()` and pass a mask",
    "sparse": "convert it with `tf.sparse.to_dense`",
}
"""Kinds of tensors that are not supported, and what to do instead."""


@keras.saving.register_keras_serializable(package="keras_seq")
class RNN(keras.layers.RNN):
    """Recurrent layer of any cell; a drop-in replacement for `keras.layers.RNN`.

    A cell with the methods `project` and `step`, such as those of `keras_seq.cells`, runs through
    `keras_seq.scan`. Every other cell runs as in Keras.

    >>> import keras
    >>> from keras_seq import cells, layers
    >>> layer = layers.RNN(cells.GRUCell(8), return_state=True)
    >>> output, state = layer(keras.random.normal((2, 5, 3)))
    >>> tuple(output.shape), tuple(state.shape)
    ((2, 8), (2, 8))

    Args:
        cell: The cell, or a list of cells to stack.
        return_sequences: Whether to return the outputs of all time steps, not only the last one.
        return_state: Whether to return the final states too.
        go_backwards: Whether to read the sequence from its end. Outputs, and their mask, are in
            reading order.
        stateful: Whether each batch starts from the final states of the previous batch.
        unroll: Whether to unroll the loop. This is faster for short sequences, but slow to compile
            for long ones.
        zero_output_for_mask: Whether outputs of masked time steps are zeros. Otherwise they repeat
            the previous output. Without `return_sequences` the output is zeros if the last time
            step is masked.
        checkpoint: Whether training stores only some states and recomputes the others for the
            gradient (gradient checkpointing). Memory then grows with the square root of the number
            of time steps. The cell must not have recurrent dropout.
        **kwargs: Further arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: List of states, each `(batch, units)`, or `(1, units)` for all rows.
            Default: zeros, or the final states of the previous batch if `stateful`.
        mask: Bools `(batch, timesteps)`, False where a time step is skipped, anywhere in a
            sequence. Default: the Keras mask of the sequences. Values at masked time steps do not
            influence outputs or gradients, even if they are NaN.
        training: Whether dropout applies.

    Returns:
        The last output `(batch, units)`, or all outputs `(batch, timesteps, units)`; with
        `return_state` followed by the final states.

    Raises:
        InputError: If the sequences, a state or the mask have a wrong shape or data type.
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        *,
        checkpoint: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, type):
            raise InputError(
                f"{type(self).__name__} needs a cell, got the class {cell.__name__}: pass a cell "
                f"that it makes, such as {cell.__name__}(64)."
            )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            **kwargs,
        )
        if checkpoint and not has_projection(self.cell):
            raise InputError(
                f"{type(self).__name__}: `checkpoint` needs a cell with the methods `project` and "
                f"`step`; {type(self.cell).__name__} does not have both."
            )
        if checkpoint and bool(getattr(self.cell, "recurrent_dropout", 0)):
            raise InputError(
                f"{type(self).__name__}: `checkpoint` computes each time step twice, which needs a "
                "deterministic step; use `dropout` instead of `recurrent_dropout`."
            )
        self.checkpoint = checkpoint

    def get_config(self) -> Config:
        return {**super().get_config(), "checkpoint": self.checkpoint}

    def __call__(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: ArrayLike | None = None,
        **kwargs: Any,
    ) -> Any:
        self._check(sequences, initial_state, mask)
        return super().__call__(sequences, initial_state=initial_state, mask=mask, **kwargs)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        shapes: list[Shape] = []
        tree.map_shape_structure(shapes.append, sequences_shape)
        if len(shapes) > 1 and not self.cell.built:
            self.cell.build(tree.map_shape_structure(lambda s: (s[0], *s[2:]), sequences_shape))
            self.cell.built = True
        super().build(shapes[0], initial_state_shape)

    def get_initial_state(self, batch_size: int | Tensor) -> States:
        if hasattr(self.cell, "get_initial_state"):
            return super().get_initial_state(batch_size)
        return nested.zero_states(self.cell, batch_size)

    def reset_state(self) -> None:
        for variable in tree.flatten(self.states) if self.states is not None else []:
            variable.assign(ops.zeros_like(variable.value))

    def compute_output_spec(self, sequences: Any, *args: Any, **kwargs: Any) -> Any:
        if nested.is_nested(self.cell, sequences):
            # The shapes of nested structures are known only after a symbolic call.
            return keras.Operation.compute_output_spec(self, sequences, *args, **kwargs)
        return super().compute_output_spec(sequences, *args, **kwargs)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        mask = tree.flatten(mask)[0]
        if mask is not None and self.go_backwards and self.return_sequences:
            mask = ops.flip(mask, axis=1)
        return super().compute_mask(inputs, mask)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = False,
    ) -> Any:
        if mask is None:
            # Keras passes on the mask only if the sequences are the only tensor of the call.
            mask = tree.map_structure(keras_compat.get_keras_mask, sequences)
        mask = tree.flatten(mask)[0]
        if mask is not None:
            sequences = tree.map_structure(lambda s: zero_masked(s, mask), sequences)
        if nested.is_nested(self.cell, sequences):
            return nested.call(self, sequences, initial_state, mask, training)
        sequences, initial_state = self._match_batch_sizes(sequences, initial_state)
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def inner_loop(
        self, sequences: Tensor, initial_state: Any, mask: Any, training: bool | None = False
    ) -> tuple[Tensor, Tensor, Any]:
        """Return the last output, all outputs and the final states.

        Args:
            sequences: `(batch, timesteps, features)`.
            initial_state: States, each `(batch, units)`.
            mask: Bools `(batch, timesteps)`, or None.
            training: Whether dropout applies.
        """
        if not has_projection(self.cell):
            return super().inner_loop(sequences, initial_state, mask, training)
        if self.stateful:
            # torch overwrites the variable in place with the next state, which would corrupt the
            # gradient of this loop.
            initial_state = tree.map_structure(ops.copy, initial_state)
        # The cell computes in its own precision, as in a call of the cell.
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

    def _match_batch_sizes(self, sequences: Tensor, initial_state: Any) -> tuple[Tensor, Any]:
        """Return sequences and states with a known batch size, if either has one."""
        states: list[Tensor] = []
        if initial_state is not None and has_projection(self.cell):
            states = tree.flatten(initial_state)
        if sequences.shape[0] is None:
            sizes = [keras_compat.stateful_batch_size(self)] if self.stateful else []
            # A state of one row is broadcast to any batch.
            sizes += [state.shape[0] for state in states if state.shape[0] not in (None, 1)]
            sequences = _set_batch_size(sequences, next(iter(sizes), None))
        batch, rows = sequences.shape[0], ops.shape(sequences)[0]

        def fit(state: Tensor) -> Tensor:
            if state.shape[0] == 1 and batch != 1:
                return ops.broadcast_to(state, (rows, *state.shape[1:]))
            return _set_batch_size(state, batch)

        return sequences, tree.map_structure(fit, initial_state) if states else initial_state

    def _check(self, sequences: Any, initial_state: Any, mask: Any) -> None:
        """Raise an error for inputs that would fail inside the loop."""
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
                f"{shape}; fix their length or set unroll=False."
            )
        if shape[1:2] == (0,):
            raise InputError(f"{name}: sequences of shape {shape} have no time steps.")
        if mask is not None and not _is_compatible(_shape(tree.flatten(mask)[0]), shape[:2]):
            raise InputError(
                f"{name}: the mask must be an array of the shape (batch, timesteps) of the "
                f"sequences, {shape[:2]}, got {_shape(tree.flatten(mask)[0])}."
            )
        if initial_state is not None and has_projection(self.cell):
            shapes = [_shape(state) for state in tree.flatten(initial_state)]
            expected = [(*shape[:1], size) for size in self.state_size]
            is_valid = [
                _is_compatible(state, other) or state == (1, other[-1])
                for state, other in zip(shapes, expected)
            ]
            if len(shapes) != len(expected) or not all(is_valid):
                raise InputError(
                    f"{name}: initial_state must be {len(expected)} tensor(s) of shape (batch, "
                    f"units), {expected}, got {shapes}."
                )


def _set_batch_size(tensor: Tensor, batch: int | None) -> Tensor:
    """Return a tensor of known batch size, which only TensorFlow may not know."""
    if batch is None or tensor.shape[0] is not None:
        return tensor
    import tensorflow as tf

    return tf.ensure_shape(tensor, (batch, *tensor.shape[1:]))


def _check_dense(name: str, sequences: Any) -> None:
    """Raise an error if sequences are not a dense tensor of numbers."""
    dtype = getattr(sequences, "dtype", "")
    dtype = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
    if dtype.startswith(("str", "bytes", "bool", "complex", "object")):
        raise InputError(f"{name}: sequences must be numbers, got dtype {dtype}.")
    for kind, remedy in REMEDIES.items():
        if kind in type(sequences).__name__.lower() or getattr(sequences, kind, False):
            raise InputError(f"{name}: sequences must be dense, got a {kind} tensor: {remedy}.")


def _shape(array: ArrayLike) -> Shape:
    return tuple(getattr(array, "shape", ()))


def _is_compatible(shape: Shape, other: Shape) -> bool:
    """Return whether two shapes can be equal, where None is a size that is not known yet."""
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )

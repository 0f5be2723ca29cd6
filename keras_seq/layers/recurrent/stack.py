"""Recurrent layers on top of each other, as one layer."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import keras
from keras import ops, tree

from keras_seq._internal import keras_compat
from keras_seq._internal.errors import InputError
from keras_seq.layers.recurrent import layer_factory as factory

SAVED = (
    *("units", "num_layers", "bidirectional", "dropout", "recurrent_dropout", "residual"),
    *("normalization", "variational_dropout", "return_sequences", "return_state"),
)
"""Arguments that are saved as they are."""


@keras.saving.register_keras_serializable(package="keras_seq")
class RNNStack(keras.layers.Layer):
    """Stack of recurrent layers, with dropout, residual connections and normalization.

    Each layer computes `y = dropout(recurrent(x))`, then `y = x + y` if `residual`, then `y =
    LayerNormalization(y)` if `normalization`. The first gets its input by the same two steps.

    >>> import keras
    >>> from keras_seq.layers import RNNStack
    >>> stack = RNNStack("GRU", 8, num_layers=2, dropout=0.2, return_state=True)
    >>> x = keras.random.normal((4, 6, 3))  # 4 sequences of 6 time steps
    >>> outputs, states = stack(x)
    >>> tuple(outputs.shape), stack.state_sizes
    ((4, 6, 8), [[8], [8]])

    The states continue the sequences, as in a stream, or one time step at a time by `step`:

    >>> outputs, states = stack(keras.random.normal((4, 2, 3)), initial_state=states)
    >>> output, states = stack.step(keras.random.normal((4, 3)), states)
    >>> tuple(output.shape)
    (4, 8)

    Args:
        cell: Name of a layer of `keras_seq.layers` ("LSTM"), class of a recurrent layer
            (`keras.layers.LSTM`), class of a cell, or function from units to a new cell.
        units: Number of hidden units per layer and direction; a list has one number per layer.
        num_layers: Number of recurrent layers, at least 1.
        bidirectional: Whether each layer reads the sequence in both directions. Its outputs are
            those of both, concatenated.
        dropout: Fraction of the features that is dropped before the first layer and after each
            layer; a list has `num_layers + 1` fractions, the first for before the first layer.
        recurrent_dropout: Fraction of the state that is dropped from step to step. A function
            that makes cells has to set it itself.
        residual: Whether the input of a layer is added to its output (He et al. 2016; Wu et al.
            2016), wherever both have the same shape.
        normalization: Whether inputs and outputs are normalized at each time step (layer
            normalization, Ba, Kiros & Hinton 2016).
        variational_dropout: Whether dropout drops the same features at all time steps (Gal &
            Ghahramani 2016).
        return_sequences: Whether to return the outputs of all time steps, not only the last one.
        return_state: Whether to return the final states too.
        layer_options: Further arguments of every recurrent layer, such as `stateful` or
            `checkpoint`, or of its cell, such as `reset_after` or `kernel_initializer`.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: For each layer a list of states `(batch, units)`, those of the forward half
            first. Default: zeros, or where a stateful stack stopped.
        mask: Bools `(batch, timesteps)`, False where a time step is to be skipped. Default: the
            mask of the layer before.
        training: Whether dropout applies.

    Returns:
        The outputs `(batch, timesteps, features)`, or `(batch, features)` without
        `return_sequences`; with `return_state` a pair of these and the final states.

    Raises:
        InputError: If an argument has a wrong value, or they contradict each other.
    """

    def __init__(
        self,
        cell: factory.Cell,
        units: int | Sequence[int],
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float | Sequence[float] = 0.0,
        recurrent_dropout: float = 0.0,
        residual: bool = False,
        normalization: bool = False,
        variational_dropout: bool = False,
        return_sequences: bool = True,
        return_state: bool = False,
        layer_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.num_layers, self.dropout = units, num_layers, dropout
        self.bidirectional, self.recurrent_dropout = bidirectional, recurrent_dropout
        self.residual, self.normalization = residual, normalization
        self.variational_dropout = variational_dropout
        self.return_sequences, self.return_state = return_sequences, return_state
        self.layer_options = dict(layer_options or {})
        self.go_backwards = bool(self.layer_options.get("go_backwards"))
        if self.go_backwards and (bidirectional or residual):
            raise InputError(
                "RNNStack: `go_backwards` excludes `bidirectional` and `residual`: it reverses the "
                "outputs of each layer."
            )
        sizes = factory.broadcast_argument("units", units, num_layers)
        self._cell_name = factory.layer_name(cell)
        rates = factory.broadcast_argument("dropout", dropout, num_layers + 1)
        policy = self.dtype_policy
        self.recurrent_layers = [
            factory.make_layer(
                cell,
                size,
                recurrent_dropout,
                self.layer_options,
                bidirectional,
                return_sequences=return_sequences or number < num_layers - 1,
                return_state=return_state,
                dtype=policy,
                name=f"recurrent_{number}",
            )
            for number, size in enumerate(sizes)
        ]
        shapes = [(None, 1, None) if variational_dropout else None] * num_layers
        shapes.append(shapes[0] if return_sequences else None)
        self.dropouts = [keras.layers.Dropout(*pair, dtype=policy) for pair in zip(rates, shapes)]
        self.norms = [keras.layers.LayerNormalization(dtype=policy) for _ in rates if normalization]
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.supports_masking = True

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        shapes = [tuple(sequences_shape)]
        for layer in self.recurrent_layers:
            layer.build(shapes[-1])
            shapes.append(factory.output_shape(layer, shapes[-1]))
        for norm, shape in zip(self.norms, shapes):
            norm.build(shape)
        self._adds = [self.residual and before == after for before, after in pairwise(shapes)]
        if self.residual and not any(self._adds):
            raise InputError(
                "RNNStack: `residual` needs a layer whose input and output have the same shape, "
                f"got the shapes {shapes}."
            )

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = False,
    ) -> Any:
        if mask is None:
            # Keras passes it on only if the sequences are the one tensor in the call.
            mask = keras_compat.get_keras_mask(sequences)
        states = factory.check_states(initial_state, self.state_sizes)
        x, final_states = self._finish(0, self.dropouts[0](sequences, training=training)), []
        for number, (layer, before) in enumerate(zip(self.recurrent_layers, states)):
            y = layer(x, initial_state=before, mask=mask, training=training)
            if self.return_state:
                y, *after = y
                final_states.append(after)
            x = self._finish(number + 1, self.dropouts[number + 1](y, training=training), x)
            mask = ops.flip(mask, axis=1) if self.go_backwards and mask is not None else mask
        return (x, final_states) if self.return_state else x

    def step(self, inputs: Any, states: Sequence[Sequence[Any]]) -> tuple[Any, list[list[Any]]]:
        """Return the outputs `(batch, features)` and the states after one time step.

        It equals a call on sequences of one time step, without dropout.

        Args:
            inputs: `(batch, features)`.
            states: States before the step, as `initial_state`.

        Raises:
            InputError: If the stack reads backwards, or the states are not those of its layers.
        """
        self._check_reads_forwards()
        if not self.built:
            self.build((inputs.shape[0], None, inputs.shape[-1]))
        states = factory.check_states(states, self.state_sizes)
        x, final_states = self._finish(0, ops.cast(inputs, self.compute_dtype)), []
        for number, (layer, before) in enumerate(zip(self.recurrent_layers, states)):
            y, after = layer.cell(x, list(before))
            final_states.append(tree.flatten(after))
            x = self._finish(number + 1, y, x)
        return tree.map_structure(lambda t: ops.cast(t, self.compute_dtype), (x, final_states))

    def advance(self, sequences: Any, states: Sequence[Sequence[Any]]) -> tuple[Any, list]:
        """Return the outputs and the states after further time steps, as if with `return_state`.

        It equals as many calls of `step`, and is faster.

        Args:
            sequences: `(batch, timesteps, features)`, at least one time step.
            states: States before the first of them, as `initial_state`.

        Raises:
            InputError: If the stack reads backwards, or the states are not those of its layers.
        """
        self._check_reads_forwards()
        states = factory.check_states(states, self.state_sizes)
        x, final_states = self._finish(0, ops.cast(sequences, self.compute_dtype)), []
        for number, (layer, before) in enumerate(zip(self.recurrent_layers, states)):
            last, outputs, after = layer.inner_loop(x, list(before), mask=None, training=False)
            final_states.append(tree.flatten(after))
            x = self._finish(number + 1, outputs if layer.return_sequences else last, x)
        return tree.map_structure(lambda t: ops.cast(t, self.compute_dtype), (x, final_states))

    def _check_reads_forwards(self) -> None:
        if self.bidirectional or self.go_backwards:
            raise InputError("RNNStack: a stack that reads backwards cannot go step by step.")

    def _finish(self, place: int, y: Any, x: Any = None) -> Any:
        """Return the output of a layer after residual connection and normalization."""
        y = x + y if place and self._adds[place - 1] else y
        return self.norms[place](y) if self.norms else y

    @property
    def state_sizes(self) -> list[list[int]]:
        """Return the widths of the states of each layer, forward half first."""
        return [factory.state_sizes(layer) for layer in self.recurrent_layers]

    @property
    def output_size(self) -> int:
        """The width of the outputs."""
        return factory.output_shape(self.recurrent_layers[-1], (None, None, 1))[-1]

    def get_initial_state(self, batch_size: Any) -> list[list[Any]]:
        """Return the states before the first step, zeros unless the cell says otherwise."""
        return [factory.initial_states(layer, batch_size) for layer in self.recurrent_layers]

    def reset_state(self) -> None:
        """Reset the states of a stateful stack to those before the first step."""
        for layer in self.recurrent_layers:
            layer.reset_state()

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        shape, states = tuple(sequences_shape), []
        for layer, sizes in zip(self.recurrent_layers, self.state_sizes):
            states.append([(shape[0], size) for size in sizes])
            shape = factory.output_shape(layer, shape)
        return (shape, states) if self.return_state else shape

    def compute_mask(self, sequences: Any, mask: Any) -> Any:
        mask = tree.flatten(mask)[0] if self.return_sequences else None
        if mask is not None and self.go_backwards and self.num_layers % 2:
            mask = ops.flip(mask, axis=1)
        num_states = sum(len(sizes) for sizes in self.state_sizes)
        return [mask, *[None] * num_states] if self.return_state else mask

    def get_config(self) -> dict[str, Any]:
        own = None  # A function cannot be saved, but the layers that it made can.
        if self._cell_name is None:
            own = [factory.serialize_layer(layer) for layer in self.recurrent_layers]
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in SAVED},
            "cell": self._cell_name,
            "layers": own,
            "layer_options": keras.saving.serialize_keras_object(self.layer_options),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RNNStack":
        own = keras.saving.deserialize_keras_object(config["layers"])
        options = keras.saving.deserialize_keras_object(config["layer_options"])
        cell = config["cell"] if own is None else factory.SavedLayers(own)
        config = {name: value for name, value in config.items() if name != "layers"}
        return super().from_config({**config, "cell": cell, "layer_options": options})

"""Stack of recurrent layers."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import keras
from keras import ops, tree

from keras_seq._internal import keras_compat
from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, Probability, Range, check_arguments
from keras_seq._internal.types import Config, Shape, States, Tensor
from keras_seq.layers.recurrent import layer_factory as factory

SAVED = (
    *("units", "num_layers", "bidirectional", "dropout", "recurrent_dropout", "residual"),
    *("normalization", "variational_dropout", "return_sequences", "return_state"),
)
"""Arguments that the configuration contains unchanged."""


@keras.saving.register_keras_serializable(package="keras_seq")
class RNNStack(keras.layers.Layer):
    """Stack of recurrent layers, with dropout, residual connections and normalization.

    Each layer computes `y = dropout(recurrent(x))`, then `y = x + y` if `residual`, then `y =
    LayerNormalization(y)` if `normalization`. The input of the first layer is dropped out and
    normalized too.

    >>> import keras
    >>> from keras_seq.layers import RNNStack
    >>> stack = RNNStack("GRU", 8, num_layers=2, dropout=0.2, return_state=True)
    >>> x = keras.random.normal((4, 6, 3))  # 4 sequences of 6 time steps
    >>> outputs, states = stack(x)
    >>> tuple(outputs.shape), stack.state_sizes
    ((4, 6, 8), [[8], [8]])

    With the states, a stream can be continued, also one time step at a time:

    >>> outputs, states = stack(keras.random.normal((4, 2, 3)), initial_state=states)
    >>> output, states = stack.step(keras.random.normal((4, 3)), states)
    >>> tuple(output.shape)
    (4, 8)

    Args:
        cell: Name of a layer of `keras_seq.layers` ("LSTM"), class of a recurrent layer
            (`keras.layers.LSTM`), class of a cell, or function from units to a new cell.
        units: Number of hidden units per layer and direction; a list has one number per layer.
        num_layers: Number of recurrent layers, at least 1.
        bidirectional: Whether each layer reads the sequence in both directions. The outputs of
            both are concatenated.
        dropout: Fraction of the features to drop in training before the first layer and after each
            layer. A list has `num_layers + 1` fractions, the first of them for the input.
        recurrent_dropout: Fraction of the state to drop between time steps in training. A function
            that makes cells must set it itself.
        residual: Whether to add the input of each layer to its output if both have the same shape
            (He et al. 2016; Wu et al. 2016).
        normalization: Whether to apply layer normalization to the input and all outputs (Ba, Kiros
            & Hinton 2016).
        variational_dropout: Whether to use one dropout mask for all time steps (Gal & Ghahramani
            2016).
        return_sequences: Whether to return the outputs of all time steps, not only the last one.
        return_state: Whether to return the final states too.
        layer_options: Further arguments of every recurrent layer, such as `stateful` or
            `checkpoint`, or of its cell, such as `reset_after` or `kernel_initializer`.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: For each layer a list of states `(batch, units)`, forward states first.
            Default: zeros, or the final states of the previous batch in a stateful stack.
        mask: Bools `(batch, timesteps)`, False where a time step is skipped. Default: the Keras
            mask of the sequences.
        training: Whether dropout applies.

    Returns:
        The outputs `(batch, timesteps, features)`, or `(batch, features)` without
        `return_sequences`; with `return_state` a pair of these and the final states.

    Raises:
        InputError: If an argument has a wrong value, or arguments contradict each other.
    """

    def __init__(
        self,
        cell: factory.Cell,
        units: int | Sequence[int],
        num_layers: PositiveInt = 1,
        bidirectional: bool = False,
        dropout: float | Sequence[float] = 0.0,
        recurrent_dropout: Probability = 0.0,
        residual: bool = False,
        normalization: bool = False,
        variational_dropout: bool = False,
        return_sequences: bool = True,
        return_state: bool = False,
        layer_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(RNNStack, locals())
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
                "RNNStack: `go_backwards` reverses the outputs of each layer; it cannot be "
                "combined with `bidirectional` or `residual`."
            )
        sizes = factory.broadcast_argument("units", units, num_layers)
        self._cell_name = factory.layer_name(cell)
        rates = factory.broadcast_argument("dropout", dropout, num_layers + 1)
        for rate in rates:
            Range(0, 1).check("RNNStack: `dropout`", rate)
        policy = self.dtype_policy
        self.recurrent_layers = [
            factory.make_layer(
                cell,
                size,
                recurrent_dropout,
                self.layer_options,
                bidirectional,
                return_sequences=return_sequences or index < num_layers - 1,
                return_state=return_state,
                dtype=policy,
                name=f"recurrent_{index}",
            )
            for index, size in enumerate(sizes)
        ]
        shapes = [(None, 1, None) if variational_dropout else None] * num_layers
        shapes.append(shapes[0] if return_sequences else None)
        self.dropouts = [keras.layers.Dropout(*pair, dtype=policy) for pair in zip(rates, shapes)]
        self.norms = [keras.layers.LayerNormalization(dtype=policy) for _ in rates if normalization]
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.supports_masking = True

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        shapes = [tuple(sequences_shape)]
        for layer in self.recurrent_layers:
            layer.build(shapes[-1])
            shapes.append(factory.output_shape(layer, shapes[-1]))
        for norm, shape in zip(self.norms, shapes):
            norm.build(shape)
        self._adds = [self.residual and shape == next_ for shape, next_ in pairwise(shapes)]
        if self.residual and not any(self._adds):
            raise InputError(
                "RNNStack: `residual` needs a layer whose input and output have the same shape, "
                f"got the shapes {shapes}."
            )

    def call(
        self,
        sequences: Tensor,
        initial_state: Sequence[States] | None = None,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Tensor | tuple[Tensor, list[States]]:
        if mask is None:
            # Keras passes on the mask only if the sequences are the only tensor of the call.
            mask = keras_compat.get_keras_mask(sequences)
        states = factory.check_states(initial_state, self.state_sizes)
        x, final_states = self._finish(0, self.dropouts[0](sequences, training=training)), []
        for index, (layer, state) in enumerate(zip(self.recurrent_layers, states)):
            y = layer(x, initial_state=state, mask=mask, training=training)
            if self.return_state:
                y, *new_state = y
                final_states.append(new_state)
            x = self._finish(index + 1, self.dropouts[index + 1](y, training=training), x)
            mask = ops.flip(mask, axis=1) if self.go_backwards and mask is not None else mask
        return (x, final_states) if self.return_state else x

    def step(self, inputs: Tensor, states: Sequence[States]) -> tuple[Tensor, list[States]]:
        """Return the outputs `(batch, features)` and the states after one time step.

        It computes the same as a call on sequences of one time step, without dropout.

        Args:
            inputs: `(batch, features)`.
            states: States before the step, as `initial_state`.

        Raises:
            InputError: If the stack reads backwards, or there are too many or too few states.
        """
        self._check_reads_forwards()
        if not self.built:
            self.build((inputs.shape[0], None, inputs.shape[-1]))
        states = factory.check_states(states, self.state_sizes)
        x, final_states = self._finish(0, ops.cast(inputs, self.compute_dtype)), []
        for index, (layer, state) in enumerate(zip(self.recurrent_layers, states)):
            y, new_state = layer.cell(x, list(state))
            final_states.append(tree.flatten(new_state))
            x = self._finish(index + 1, y, x)
        return tree.map_structure(lambda t: ops.cast(t, self.compute_dtype), (x, final_states))

    def advance(self, sequences: Tensor, states: Sequence[States]) -> tuple[Tensor, list[States]]:
        """Return the outputs and the states after several time steps.

        It computes the same as repeated calls of `step`, and is faster.

        Args:
            sequences: `(batch, timesteps, features)`, at least one time step.
            states: States before the first of them, as `initial_state`.

        Raises:
            InputError: If the stack reads backwards, or there are too many or too few states.
        """
        self._check_reads_forwards()
        states = factory.check_states(states, self.state_sizes)
        x, final_states = self._finish(0, ops.cast(sequences, self.compute_dtype)), []
        for index, (layer, state) in enumerate(zip(self.recurrent_layers, states)):
            last, outputs, new_state = layer.inner_loop(x, list(state), mask=None, training=False)
            final_states.append(tree.flatten(new_state))
            x = self._finish(index + 1, outputs if layer.return_sequences else last, x)
        return tree.map_structure(lambda t: ops.cast(t, self.compute_dtype), (x, final_states))

    def _check_reads_forwards(self) -> None:
        if self.bidirectional or self.go_backwards:
            raise InputError(
                "RNNStack: step() and advance() need bidirectional=False and go_backwards=False."
            )

    def _finish(self, index: int, y: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the output of a layer after residual connection and normalization.

        Args:
            index: 0 for the input of the stack, otherwise the number of the layer, from 1.
            y: Output of the layer.
            x: Input of the layer.
        """
        y = x + y if index and self._adds[index - 1] else y
        return self.norms[index](y) if self.norms else y

    @property
    def state_sizes(self) -> list[list[int]]:
        """Widths of the states of each layer, forward states first."""
        return [factory.state_sizes(layer) for layer in self.recurrent_layers]

    @property
    def output_size(self) -> int:
        """Width of the outputs."""
        shape = factory.output_shape(self.recurrent_layers[-1], (None, None, 1))
        return cast(int, shape[-1])

    def get_initial_state(self, batch_size: int | Tensor) -> list[States]:
        """Return the states before the first time step, zeros unless the cell defines others."""
        return [factory.initial_states(layer, batch_size) for layer in self.recurrent_layers]

    def reset_state(self) -> None:
        """Reset the states of a stateful stack to zeros."""
        for layer in self.recurrent_layers:
            layer.reset_state()

    def compute_output_shape(self, sequences_shape: Shape, initial_state_shape: Any = None) -> Any:
        shape, states = tuple(sequences_shape), []
        for layer, sizes in zip(self.recurrent_layers, self.state_sizes):
            states.append([(shape[0], size) for size in sizes])
            shape = factory.output_shape(layer, shape)
        return (shape, states) if self.return_state else shape

    def compute_mask(self, sequences: Tensor, mask: Any) -> Any:
        mask = tree.flatten(mask)[0] if self.return_sequences else None
        if mask is not None and self.go_backwards and self.num_layers % 2:
            mask = ops.flip(mask, axis=1)
        num_states = sum(len(sizes) for sizes in self.state_sizes)
        return [mask, *[None] * num_states] if self.return_state else mask

    def get_config(self) -> Config:
        layers = None
        if self._cell_name is None:  # A function cannot be saved, but its layers can.
            layers = [factory.serialize_layer(layer) for layer in self.recurrent_layers]
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in SAVED},
            "cell": self._cell_name,
            "layers": layers,
            "layer_options": keras.saving.serialize_keras_object(self.layer_options),
        }

    @classmethod
    def from_config(cls, config: Config) -> "RNNStack":
        layers = keras.saving.deserialize_keras_object(config["layers"])
        options = keras.saving.deserialize_keras_object(config["layer_options"])
        cell = config["cell"] if layers is None else factory.SavedLayers(layers)
        config = {name: value for name, value in config.items() if name != "layers"}
        return super().from_config({**config, "cell": cell, "layer_options": options})

"""Base classes of the cells: arguments, weights, dropout and the cell interface."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_seq._internal import float64
from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.keras_compat import DropoutRNNCell
from keras_seq._internal.ranges import PositiveInt, Probability, check_arguments
from keras_seq._internal.types import (
    Activation,
    Config,
    Constraint,
    Initializer,
    Regularizer,
    States,
    Tensor,
)


class Step(NamedTuple):
    """Output, new states and gate activations of one time step.

    >>> import numpy as np
    >>> from keras_seq.cells import GRUCell
    >>> cell = GRUCell(4)
    >>> cell.build((None, 3))
    >>> step = cell.step(cell.project(np.ones((2, 3), "float32")), cell.get_initial_state(2))
    >>> tuple(step.output.shape), list(step.gates)
    ((2, 4), ['update', 'reset', 'candidate'])
    """

    output: Tensor
    """Output `(batch, units)`."""
    states: States
    """New states in the order of `state_size`, each `(batch, units)`."""
    gates: dict[str, Tensor]
    """Gate activations by name, each `(batch, units)`."""


class RecurrentCell(keras.layers.Layer, DropoutRNNCell):
    """Base class of the recurrent cells.

    A subclass creates its weights in `build` and defines its equation in two methods:

    - `project(inputs)`: the terms that depend on x_t only. Takes `(batch, features)` or `(batch,
      timesteps, features)` and returns one tensor with the same leading axes.
    - `step(projected, states)`: one time step; returns a `Step`. A cell with recurrent dropout
      also takes `training`.

    `keras_seq.scan` runs any layer with these two methods and `state_size`. It projects the whole
    sequence at once, before the loop over time:

    >>> import keras
    >>> from keras import ops
    >>> from keras_seq import cells, layers
    >>> class LeakyCell(cells.RecurrentCell):
    ...     def build(self, input_shape):
    ...         self.kernel = self.add_kernel(input_shape[-1], self.units)
    ...
    ...     def project(self, inputs):
    ...         return ops.matmul(inputs, self.kernel)
    ...
    ...     def step(self, projected, states):
    ...         h = 0.9 * states[0] + 0.1 * self.activate(projected)
    ...         return cells.Step(h, [h], {})
    >>> tuple(layers.RNN(LeakyCell(4))(keras.random.normal((2, 5, 3))).shape)
    (2, 4)

    Args:
        units: Number of hidden units, at least 1.
        activation: Activation of the candidate and, in LSTMs, of the cell state.
        use_bias: Whether the cell adds a bias.
        kernel_initializer: Initializer of the input weights.
        recurrent_initializer: Initializer of the recurrent weights.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the input weights.
        recurrent_regularizer: Regularizer of the recurrent weights.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint on the input weights.
        recurrent_constraint: Constraint on the recurrent weights.
        bias_constraint: Constraint on the bias.
        dropout: Fraction of the inputs to drop during training, from 0 to 1. One mask is used for
            all time steps.
        recurrent_dropout: Fraction of the state to drop during training before it is multiplied by
            the recurrent kernel, from 0 to 1. One mask is used for all time steps and gates (Gal &
            Ghahramani 2016).
        seed: Random seed of the dropout masks.
        **kwargs: Further arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Call arguments:
        inputs: `(batch, features)`.
        states: States after the previous time step, a list of `(batch, units)`.
        training: Whether dropout applies.

    Returns:
        The output `(batch, units)` and the list of new states.

    Raises:
        InputError: If an argument has an invalid value.
    """

    def __init__(
        self,
        units: PositiveInt,
        activation: Activation = "tanh",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: Probability = 0.0,
        recurrent_dropout: Probability = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(RecurrentCell, locals())
        super().__init__(**kwargs)
        name = type(self).__name__
        if not self.compute_dtype.startswith(("float", "bfloat")):
            raise InputError(
                f"{name}: `dtype` must be a floating-point type such as 'float32' or "
                f"'mixed_bfloat16', got {self.compute_dtype!r}."
            )
        self.units: int = int(units)
        self.output_size: int = self.units
        self.state_size: int | list[int] = self.units
        self.activation: Callable[..., Tensor] = _activation(activation)
        self.use_bias: bool = use_bias
        self.kernel_initializer: Any = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer: Any = keras.initializers.get(recurrent_initializer)
        self.bias_initializer: Any = keras.initializers.get(bias_initializer)
        self.kernel_regularizer: Any = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer: Any = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer: Any = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint: Any = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint: Any = keras.constraints.get(recurrent_constraint)
        self.bias_constraint: Any = keras.constraints.get(bias_constraint)
        self.dropout: float = dropout
        self.recurrent_dropout: float = recurrent_dropout
        self.seed: int | None = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def project(self, inputs: Tensor) -> Tensor:
        """Return the terms of the equation that depend on the inputs only.

        Args:
            inputs: `(batch, features)` or `(batch, timesteps, features)`.

        Returns:
            Tensor with the same leading axes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `project(inputs)`.")

    def step(self, projected: Tensor, states: States, training: bool | None = False) -> Step:
        """Compute one time step.

        Args:
            projected: Result of `project` for the time step, `(batch, n)`.
            states: States after the previous time step, each `(batch, units)`.
            training: Whether recurrent dropout applies.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `step(projected, states)`.")

    def call(
        self, inputs: Tensor, states: States, training: bool | None = False
    ) -> tuple[Tensor, States]:
        projected = self.project(self.drop_inputs(inputs, training))
        step = get_step(self, training)(projected, states)
        return step.output, step.states

    def drop_inputs(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """Apply input dropout, with one mask for all time steps.

        Args:
            inputs: `(batch, features)` or `(batch, timesteps, features)`.
            training: Whether dropout applies.
        """
        if not training or not self.dropout:
            return inputs
        if len(inputs.shape) == 2:
            return inputs * self.get_dropout_mask(inputs)
        return inputs * ops.expand_dims(self.get_dropout_mask(inputs[:, 0]), 1)

    def drop_state(self, state: Tensor, training: bool | None = False) -> Tensor:
        """Apply recurrent dropout to a state before it is multiplied by the recurrent kernel.

        Args:
            state: `(batch, units)`.
            training: Whether dropout applies.
        """
        if not training or not self.recurrent_dropout:
            return state
        return state * self.get_recurrent_dropout_mask(state)

    def activate(self, z: Tensor) -> Tensor:
        """Apply `activation` without rounding float64 to float32."""
        return float64.activation(self.activation)(z)

    def get_initial_state(self, batch_size: int | None = None) -> States:
        """Return zeros, one tensor `(batch, units)` per state."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in sizes]

    def add_kernel(self, features: int | None, columns: int) -> keras.Variable:
        """Add the input weights `(features, columns)`."""
        return self.add_weight(
            name="kernel",
            shape=(features, columns),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def add_recurrent_kernel(self, columns: int) -> keras.Variable:
        """Add the recurrent weights `(units, columns)`."""
        return self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, columns),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )

    def add_bias(
        self, shape: tuple[int, ...], initializer: Initializer = None
    ) -> keras.Variable | None:
        """Add the bias.

        Args:
            shape: Shape of the bias.
            initializer: Initializer. Default: `bias_initializer`.

        Returns:
            The bias; None without `use_bias`.
        """
        if not self.use_bias:
            return None
        return self.add_weight(
            name="bias",
            shape=shape,
            initializer=initializer or self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **{
                f"{weight}_{kind}": module.serialize(getattr(self, f"{weight}_{kind}"))
                for kind, module in {
                    "initializer": keras.initializers,
                    "regularizer": keras.regularizers,
                    "constraint": keras.constraints,
                }.items()
                for weight in ("kernel", "recurrent", "bias")
            },
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


def get_step(cell: Any, training: bool | None) -> Callable[[Tensor, States], Step]:
    """Return `cell.step`, with `training=True` bound if recurrent dropout applies.

    Args:
        cell: Cell with `step`, which takes `training` if the cell has recurrent dropout.
        training: Whether dropout applies.

    Raises:
        InputError: If the cell has recurrent dropout, but its `step` does not take `training`.
    """
    if not training:
        return cell.step
    if "training" in inspect.signature(cell.step).parameters:
        return functools.partial(cell.step, training=True)
    if getattr(cell, "recurrent_dropout", 0):
        name = type(cell).__name__
        raise InputError(
            f"{name}.step must take `training` and pass states through "
            f"`drop_state(state, training)`, because recurrent_dropout={cell.recurrent_dropout}."
        )
    return cell.step


class GatedCell(RecurrentCell):
    """Base class of the cells with gates.

    Args:
        units: Number of hidden units, at least 1.
        activation: Activation of the candidate and, in LSTMs, of the cell state.
        recurrent_activation: Activation of the gates.
        use_bias: Whether the cell adds a bias.
        **kwargs: Further arguments of `RecurrentCell`.
    """

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **kwargs)
        self.recurrent_activation: Callable[..., Tensor] = _activation(recurrent_activation)

    def gate(self, z: Tensor) -> Tensor:
        """Apply `recurrent_activation` without rounding float64 to float32."""
        return float64.activation(self.recurrent_activation)(z)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
        }


def _activation(identifier: Activation) -> Callable[..., Tensor]:
    """Return an activation, or raise an error that suggests a similar name."""
    try:
        return keras.activations.get(identifier)
    except ValueError:
        known = [name for name in dir(keras.activations) if name.islower() and name[0] != "_"]
        functions = set(known) - {"get", "serialize", "deserialize"}
        raise unknown_name("activation", identifier, functions) from None

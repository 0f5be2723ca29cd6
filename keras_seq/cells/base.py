"""What every cell shares: its arguments, its weights, dropout and the cell contract."""

import functools
import inspect
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_seq._internal import float64
from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.keras_compat import DropoutRNNCell


class Step(NamedTuple):
    """What a cell computes in one time step."""

    output: object
    """Tensor (batch, units)."""
    states: list
    """The new states, in the order of `state_size`, each (batch, units)."""
    gates: dict
    """Gate name to its value, each (batch, units)."""


class RecurrentCell(keras.layers.Layer, DropoutRNNCell):
    """Base of the cells: `build` makes the weights, two methods are the equation.

    - `project(inputs)`: all that depends on x_t alone. Takes `(batch, features)` or
      `(batch, timesteps, features)`, returns one tensor with the same leading axes.
    - `step(projected, states)`: one time step, returns a `Step`. A cell with recurrent dropout
      takes `training` too.

    That is the whole contract with `keras_seq.scan`: any cell that has these two (and
    `state_size`, as Keras asks of every cell) runs with its projection hoisted out of the loop.

    Args:
        units: Number of hidden units, at least 1.
        activation: Applied to the candidate and, in LSTMs, to the cell state. `None` is linear.
        use_bias: Whether the cell adds a bias.
        kernel_initializer: For the weights that read the input.
        recurrent_initializer: For the weights that read the state.
        bias_initializer: For the bias.
        kernel_regularizer: For the weights that read the input.
        recurrent_regularizer: For the weights that read the state.
        bias_regularizer: For the bias.
        kernel_constraint: For the weights that read the input.
        recurrent_constraint: For the weights that read the state.
        bias_constraint: For the bias.
        dropout: Share of the inputs dropped in training, 0 to 1; one mask for all time steps.
        recurrent_dropout: Share of the state dropped, in training, where the recurrent kernel
            reads it, 0 to 1; one mask for all time steps and gates (Gal and Ghahramani, 2016).
        seed: Of the dropout masks.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of tensors `(batch, units)`, the states of the previous time step.
        training: Whether dropout applies.

    Returns:
        The output `(batch, units)` and the list of new states.

    Raises:
        InputError: An argument has a value that the cell cannot take.
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        name = type(self).__name__
        if isinstance(units, bool) or not isinstance(units, Integral) or units < 1:
            raise InputError(f"{name}: `units` must be an integer of at least 1, got {units!r}.")
        for argument, rate in {"dropout": dropout, "recurrent_dropout": recurrent_dropout}.items():
            if not isinstance(rate, Real) or not 0 <= rate <= 1:
                raise InputError(f"{name}: `{argument}` must lie between 0 and 1, got {rate!r}.")
        if not self.compute_dtype.startswith(("float", "bfloat")):
            raise InputError(
                f"{name}: `dtype` must be a floating-point one such as 'float32' or "
                f"'mixed_bfloat16', got {self.compute_dtype!r}."
            )
        self.units = self.output_size = self.state_size = int(units)
        self.activation = _activation(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def project(self, inputs):
        raise NotImplementedError(f"{type(self).__name__} has no `project(inputs)`.")

    def step(self, projected, states, training=False):
        raise NotImplementedError(f"{type(self).__name__} has no `step(projected, states)`.")

    def call(self, inputs, states, training=False):
        projected = self.project(self.drop_inputs(inputs, training))
        step = get_step(self, training)(projected, states)
        return step.output, step.states

    def drop_inputs(self, inputs: Any, training: bool | None = False) -> Any:
        """Return the inputs under input dropout, with one mask for all time steps.

        Args:
            inputs: `(batch, features)` or `(batch, timesteps, features)`.
            training: Whether dropout applies.
        """
        if not training or not self.dropout:
            return inputs
        if len(inputs.shape) == 2:
            return inputs * self.get_dropout_mask(inputs)
        return inputs * ops.expand_dims(self.get_dropout_mask(inputs[:, 0]), 1)

    def drop_state(self, state: Any, training: bool | None = False) -> Any:
        """Return a state under recurrent dropout, as the recurrent kernel reads it.

        Args:
            state: `(batch, units)`.
            training: Whether dropout applies.
        """
        if not training or not self.recurrent_dropout:
            return state
        return state * self.get_recurrent_dropout_mask(state)

    def activate(self, z):
        """Return `activation` of z, in float64 if z is."""
        return float64.activation(self.activation)(z)

    def get_initial_state(self, batch_size=None):
        """Zeros, one tensor `(batch, units)` a state."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in sizes]

    def add_kernel(self, features, columns):
        return self.add_weight(
            name="kernel",
            shape=(features, columns),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def add_recurrent_kernel(self, columns):
        return self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, columns),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )

    def add_bias(self, shape, initializer=None):
        if not self.use_bias:
            return None
        return self.add_weight(
            name="bias",
            shape=shape,
            initializer=initializer or self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def get_config(self):
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


def get_step(cell: Any, training: bool | None) -> Callable[[Any, list], Step]:
    """Return `cell.step`, told to apply recurrent dropout if it trains.

    Args:
        cell: A cell with `step`, which takes `training` if it has recurrent dropout.
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
            f"{name}.step must take `training` and read states by `drop_state(state, training)`, "
            f"since {name} has recurrent_dropout={cell.recurrent_dropout}."
        )
    return cell.step


class GatedCell(RecurrentCell):
    """Base of the cells with gates, which squash with `recurrent_activation`.

    Args:
        recurrent_activation: Applied to the gates. `None` is linear.
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        **kwargs,
    ):
        super().__init__(units, activation, use_bias, **kwargs)
        self.recurrent_activation = _activation(recurrent_activation)

    def gate(self, z):
        """Return `recurrent_activation` of z, in float64 if z is."""
        return float64.activation(self.recurrent_activation)(z)

    def get_config(self):
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
        }


def _activation(identifier):
    try:
        return keras.activations.get(identifier)
    except ValueError:
        known = [name for name in dir(keras.activations) if name.islower() and name[0] != "_"]
        functions = set(known) - {"get", "serialize", "deserialize"}
        raise unknown_name("activation", identifier, functions) from None

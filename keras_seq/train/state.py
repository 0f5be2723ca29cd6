"""State of a model in training: weights, optimizer variables and random seeds."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_seq._internal.types import Array


def get_state(model: keras.Model) -> list[Array]:
    """Return the state of a compiled model."""
    return [ops.convert_to_numpy(variable) for variable in _variables(model)]


def set_state(model: keras.Model, state: Sequence[Array]) -> None:
    """Set the state of a compiled model.

    Args:
        model: Compiled model.
        state: State of this model, or of another model with the same architecture.
    """
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def has_same_shapes(model: keras.Model, state: Sequence[Array]) -> bool:
    """Return True if the arrays of a state have the shapes of a compiled model's variables."""
    shapes = [tuple(variable.shape) for variable in _variables(model)]
    return shapes == [value.shape for value in state]


def _variables(model: keras.Model) -> list[keras.Variable]:
    model.optimizer.build(model.trainable_variables)
    # Unlike `weights`, `variables` include the seeds of dropout.
    return [*model.variables, *model.optimizer.variables]

"""All that training changes in a model: its weights, its optimizer, its random generators."""

import keras
import numpy as np
from keras import ops


def get_state(model):
    """The state of a compiled model: a list of arrays."""
    return [ops.convert_to_numpy(variable) for variable in _variables(model)]


def set_state(model, state):
    """Puts a compiled model back to a state, or to that of another model of the same kind."""
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def has_same_shapes(model: keras.Model, state: list[np.ndarray]) -> bool:
    """Return whether a compiled model can be put to a state: whether all shapes are the same."""
    shapes = [tuple(variable.shape) for variable in _variables(model)]
    return shapes == [value.shape for value in state]


def _variables(model):
    model.optimizer.build(model.trainable_variables)
    # `variables`, unlike `weights`, hold the states of the random generators too.
    return [*model.variables, *model.optimizer.variables]

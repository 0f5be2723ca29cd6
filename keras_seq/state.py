"""All that training changes in a model: its weights, its optimizer, its random generators."""

from keras import ops


def values(model):
    """The state of a compiled model: a list of arrays."""
    return [ops.convert_to_numpy(variable) for variable in _variables(model)]


def assign(model, state):
    """Puts a compiled model back to a state, or to that of another model of the same kind."""
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def _variables(model):
    model.optimizer.build(model.trainable_variables)
    # `variables`, unlike `weights`, hold the states of the random generators too.
    return [*model.variables, *model.optimizer.variables]

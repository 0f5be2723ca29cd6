"""Search space of a config as keras-tuner's hyperparameters, and the values of trials."""

import math
from collections.abc import Iterable
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.train.config import Config, Space

MAX_RESOURCE = 9
"""Resource of a whole training in Hyperband. Trials get 1, 3 or 9 ninths of a training."""


def make_hyperparameters(
    config: Config, fields: Iterable[str] | None = None
) -> keras_tuner.HyperParameters:
    """Return the search space of a config. It always contains the current value of each field.

    A number that is None, which the recipe chooses by the data, begins in the middle of its range.

    Args:
        config: Config of a recipe.
        fields: Names of the fields to tune. Default: all tunable fields.

    Raises:
        InputError: If a field is not tunable, or there are no fields.
    """
    spaces = config.spaces()
    names = list(spaces) if fields is None else [name.replace("-", "_") for name in fields]
    parameters = keras_tuner.HyperParameters()
    for name in names:
        if name not in spaces:
            raise unknown_name("tunable field", name, spaces)
        space, value = spaces[name], getattr(config, name)
        if isinstance(value, bool):
            parameters.Boolean(name, default=value)
        elif space.choices:
            values = dict.fromkeys((*space.choices, value))
            is_ordered = not isinstance(value, str)
            choices = sorted(values) if is_ordered else list(values)
            parameters.Choice(name, choices, is_ordered, value)
        else:
            assert space.low is not None and space.high is not None  # as `tunable` documents
            if value is None:
                value = _middle(space)
            add = parameters.Int if isinstance(value, int) else parameters.Float
            low, high = min(space.low, value), max(space.high, value)
            add(name, low, high, sampling="log" if space.log else "linear", default=value)
    if not parameters.space:
        raise InputError(
            "There are no fields to tune. Fields that are set on the command line stay fixed."
        )
    return parameters


def _middle(space: Space) -> float:
    """Return the middle of a range of numbers, the geometric one of a logarithmic range."""
    assert space.low is not None and space.high is not None
    middle = math.sqrt(space.low * space.high) if space.log else (space.low + space.high) / 2
    return round(middle) if isinstance(space.low, int) else middle


def trial_values(trial: Trial) -> dict[str, Any]:
    """Return the values of a trial by field. Floats are rounded to three significant digits."""
    values = trial.hyperparameters.values
    return {
        name: float(f"{value:.3g}") if isinstance(value, float) else value
        for name, value in values.items()
        if not name.startswith("tuner/")
    }


def format_value(value: Any) -> str:
    """Return a value of a table as a string, floats with four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def training_fraction(trial: Trial) -> float:
    """Return the fraction of a whole training that a trial runs for."""
    return trial.hyperparameters.values.get("tuner/epochs", MAX_RESOURCE) / MAX_RESOURCE

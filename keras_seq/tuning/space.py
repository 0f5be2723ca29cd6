"""The fields that may be tuned: as keras-tuner's hyperparameters, and from these back."""

import keras_tuner

from keras_seq._internal.errors import InputError, unknown_name


def make_hyperparameters(config, fields=None):
    """The tunable fields of a config as keras-tuner's `HyperParameters`, its values among them.

    Args:
        config: A recipe's Config.
        fields: Names; by default all that are tunable.

    Raises:
        InputError: One is not tunable, or there is none.
    """
    spaces = type(config).spaces()
    for name in fields or ():
        if name.replace("-", "_") not in spaces:
            raise unknown_name("tunable field", name, spaces)
    names = [name.replace("-", "_") for name in fields] if fields is not None else spaces
    found = keras_tuner.HyperParameters()
    for name in names:
        space, value = spaces[name], getattr(config, name)
        if isinstance(value, bool):
            found.Boolean(name, default=value)
        elif space.choices:
            values = dict.fromkeys((*space.choices, value))
            ordered = not isinstance(value, str)
            found.Choice(name, sorted(values) if ordered else list(values), ordered, value)
        else:
            kind = found.Int if isinstance(value, int) else found.Float
            low, high = min(space.low, value), max(space.high, value)
            kind(name, low, high, sampling="log" if space.log else "linear", default=value)
    if not found.space:
        raise InputError("There is nothing to tune: the fields that you set stay as they are.")
    return found


def trial_values(trial):
    """The values that a trial tries, by field; numbers with fractions to three digits."""
    values = trial.hyperparameters.values
    return {
        name: float(f"{value:.3g}") if isinstance(value, float) else value
        for name, value in values.items()
        if not name.startswith("tuner/")
    }

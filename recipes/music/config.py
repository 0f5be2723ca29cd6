"""What can be set, and the presets."""

import dataclasses

from keras_seq import recipe


@dataclasses.dataclass(frozen=True)
class Config(recipe.Config):
    """One to many: from the number of a style, one note after the other."""

    minimum_count: int = 2
    """How often an event must occur in training to be known."""
    cell: recipe.Cell = "LSTM"
    """The recurrent cell."""
    units: int = 256
    """Hidden units a layer."""
    layers: int = 2
    """Recurrent layers."""
    embedding: int | None = 128
    """Width of the embedding of an event; none for one-hot input."""
    style_embedding: int = 16
    """Width of the embedding of a style."""
    dropout: float = 0.4
    """Share of the features dropped between layers."""
    weight_decay: float = 0.01
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = 0.004
    """The highest of the schedule."""
    batch_size: int = 32
    """Tunes an update."""
    updates: int = 2_000
    """Optimizer steps in all, rounded to whole passes over the training tunes (epochs)."""

    objective = "nats_per_event"
    less_is_better = True


PRESETS = {"default": Config()}

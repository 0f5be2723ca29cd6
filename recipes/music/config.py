"""What can be set, and the presets."""

import dataclasses

from keras_seq import recipe


@dataclasses.dataclass(frozen=True)
class Config(recipe.Config):
    """One to many: from the number of a style, one note after the other."""

    data: str = "builtin"
    """Where the tunes come from: builtin (books of tunes), chorales (Bach's), or a folder of your
    own with one sub-folder a style."""
    minimum_count: int = 2
    """How often an event must occur in training to be known."""
    cell: recipe.Cell = "LSTM"
    """The recurrent cell."""
    units: int = 320
    """Hidden units a layer."""
    layers: int = 1
    """Recurrent layers."""
    embedding: int | None = 128
    """Width of the embedding of an event; none for one-hot input."""
    style_embedding: int = 16
    """Width of the embedding of a style."""
    dropout: float = 0.4
    """Share of the features dropped between layers."""
    ngrams: int = 5
    """Length of the longest run of tokens with a vector of its own, by hashing; 0 for none."""
    ngram_dropout: float = 0.6
    """Share of the steps at which the runs of one length are dropped in training."""
    recall: int = 32
    """Width of the vector of what followed when the sequence was last like this; 0 for none."""
    weight_decay: float = 0.01
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = 0.003
    """The highest of the schedule."""
    batch_size: int = 16
    """Tunes an update."""
    updates: int = 2_600
    """Optimizer steps in all, rounded to whole passes over the training tunes (epochs)."""

    objective = "nats_per_event"
    less_is_better = True


PRESETS = {
    "default": Config(),
    "large": Config(units=448, dropout=0.5, ngram_dropout=0.7, updates=3_600),
}

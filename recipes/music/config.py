"""What can be set, and the presets."""

import dataclasses

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """One to many: from the number of a style, one note after the other."""

    data: str = "builtin"
    """Where the tunes come from: builtin (books of tunes), chorales (Bach's), or a folder of your
    own with one sub-folder a style."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(320, choices=(128, 192, 256, 320, 448))
    """Hidden units a layer."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Recurrent layers."""
    dropout: float = config.tunable(0.4, low=0.1, high=0.6)
    """Share of the features dropped between layers."""
    ngram_dropout: float = config.tunable(0.6, low=0.2, high=0.8)
    """Share of the steps at which the runs of one length are dropped in training."""
    weight_decay: float = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 16
    """Tunes an update."""
    steps: int = 2_600
    """Optimizer steps in all, rounded to whole passes over the training tunes (epochs)."""

    monitor = "nats_per_event"
    mode = "min"


PRESETS = {
    "default": Config(),
    "large": Config(units=448, dropout=0.5, ngram_dropout=0.7, steps=3_600),
}

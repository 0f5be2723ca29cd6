"""Settings of the recipe, and its presets."""

import dataclasses

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """One to many: a recurrent network generates a tune from its style."""

    data: config.Name = "builtin"
    """Data source: builtin (tune books), chorales (by Bach), or your own files: a folder with one
    sub-folder per style, or a single file or folder of one style."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(320, choices=(128, 192, 256, 320, 448))
    """Hidden units per layer."""
    num_layers: config.PositiveInt = config.tunable(1, choices=(1, 2))
    """Number of recurrent layers."""
    dropout: config.Probability = config.tunable(0.5, low=0.1, high=0.7)
    """Dropout rate between layers, 0 to 1. One mask is used for all time steps."""
    ngram_dropout: config.Probability = config.tunable(0.75, low=0.2, high=0.9)
    """Fraction of the time steps at which the n-grams of one length are dropped, 0 to 1."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt = 16
    steps: config.PositiveInt | None = 2_600

    monitor = "nats_per_event"
    mode = "min"
    named_data = ("builtin", "chorales")


PRESETS = {
    "default": Config(),
}

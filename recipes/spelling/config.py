"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to many, unaligned: one network reads the letters, another writes the phonemes."""

    encoding: str = "utf-8"
    """Of files of your own."""
    stress: bool = False
    """Keep the stress of vowels, which the built-in lexicon has as digits."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(192, choices=(128, 192, 256, 384))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Recurrent layers that read, each from both ends; one writes."""
    attention: Literal["additive", "general"] = config.tunable(
        "general", choices=("additive", "general")
    )
    """Attention score of the decoder."""
    dropout: float = config.tunable(0.2, low=0.1, high=0.6)
    """Share of the features dropped between layers."""
    weight_decay: float = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.006, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 128
    """Pronunciations an update."""
    steps: int = 6_700
    """Optimizer steps in all, rounded to whole passes over the training words (epochs)."""

    monitor = "wer"
    mode = "min"


PRESETS = {
    "default": Config(),
    "stress": Config(stress=True),
    "large": Config(num_layers=2, units=256, dropout=0.3, learning_rate=0.004, steps=16_700),
}

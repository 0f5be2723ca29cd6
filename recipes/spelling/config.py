"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to many, unaligned: an encoder reads letters and a decoder writes phonemes."""

    encoding: config.Encoding = "utf-8"
    """Encoding of your own text files."""
    delimiter: config.Delimiter | None = None
    """Delimiter in your own tables: one character or "tab". Default: detected."""
    stress: bool = False
    """Keep the stress marks of vowels, which are digits in the built-in lexicon."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(192, choices=(128, 192, 256, 384))
    """Hidden units per layer and direction."""
    num_layers: config.PositiveInt = config.tunable(1, choices=(1, 2))
    """Number of bidirectional encoder layers; the decoder has one layer."""
    joint_order: config.NonNegativeInt = 8
    """Order of the joint n-gram model of letters and phonemes that ranks pronunciations together
    with the network; 0 for no such model."""
    attention: Literal["additive", "general"] = config.tunable(
        "general", choices=("additive", "general")
    )
    """Attention score of the decoder."""
    dropout: config.Probability = config.tunable(0.2, low=0.1, high=0.6)
    """Dropout rate between layers, 0 to 1. One mask is used for all time steps."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.006, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt = 128
    steps: config.PositiveInt | None = 6_700

    monitor = "wer"
    mode = "min"


PRESETS = {
    "default": Config(),
    "stress": Config(stress=True),
    "large": Config(num_layers=2, units=256, dropout=0.3, learning_rate=0.004, steps=16_700),
}

"""What can be set, and the two presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to one: recurrent layers read the rows, the state at the end names the digit."""

    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(64, choices=(32, 48, 64, 96, 128))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(2, choices=(1, 2, 3))
    """Recurrent layers."""
    bidirectional: bool = True
    """Read the rows from the top and from the bottom."""
    dropout: float = config.tunable(0.3, low=0.0, high=0.5)
    """Share of the features dropped after each recurrent layer."""
    augment: bool = True
    """Turn, scale, shear, shift and bend the training digits, differently every time."""
    initializer: Literal["keras", "pytorch"] = "keras"
    """How weights start: as Keras's layers do, or uniform within 1/sqrt(units) as PyTorch's."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW with warm-up and a cosine schedule, or plain SGD."""
    learning_rate: float = config.tunable(0.003, low=0.0005, high=0.02, log=True)
    """The highest of the schedule, or SGD's."""
    momentum: float = 0.0
    """Of SGD."""
    batch_size: int = 128
    """Examples an update."""
    steps: int = 1920
    """Optimizer steps in all, rounded to whole passes over the training digits (epochs)."""


PRESETS = {
    "default": Config(),
    # 19,200 updates are 300 epochs over the 4,047 built-in training digits and 20, as in the
    # notes, over the 60,000 of `--data tfds:mnist`.
    "notes": Config(
        units=10,
        bidirectional=False,
        dropout=0.0,
        augment=False,
        initializer="pytorch",
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.5,
        batch_size=64,
        steps=19_200,
        keep_best=False,
    ),
}

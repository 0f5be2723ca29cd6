"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.ClassifierConfig):
    """Many to one: recurrent layers read the rows, the last state classifies the digit."""

    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(64, choices=(32, 48, 64, 96, 128))
    """Hidden units per layer and direction."""
    num_layers: config.PositiveInt = config.tunable(2, choices=(1, 2, 3))
    """Number of recurrent layers."""
    bidirectional: bool = True
    """Read the rows in both directions."""
    dropout: config.Probability = config.tunable(0.3, low=0.0, high=0.5)
    """Dropout rate after each recurrent layer, 0 to 1."""
    augment: bool = True
    """Rotate, scale, shear, shift and distort the training digits at random."""
    initializer: Literal["keras", "pytorch"] = "keras"
    """Weight initialization: the defaults of Keras, or uniform within 1/sqrt(units) as in
    PyTorch."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """Optimizer: AdamW with warm-up and a cosine schedule, or SGD at a constant rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.003, low=0.0005, high=0.02, log=True)
    """Learning rate; with AdamW, the peak of the schedule."""
    momentum: config.Probability = 0.0
    """Momentum of SGD, 0 to 1."""
    batch_size: config.PositiveInt = 128
    steps: config.PositiveInt | None = 1920
    patience: config.NonNegativeInt | None = 0

    hub_task = "image-classification"


PRESETS = {
    "default": Config(),
    # The network and optimizer of the course notes on sequence models, which use PyTorch. 19,200
    # steps are 300 epochs over the 4,047 built-in training digits. Over the 60,000 of
    # `--data tfds:mnist` they are 20 epochs, as in those course notes.
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
        epochs=None,
        keep_best=False,
    ),
}

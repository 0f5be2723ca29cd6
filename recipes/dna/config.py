"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq import InputError
from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to one: a recurrent network reads a sequence from both ends and says what it is."""

    encoding: str = "utf-8"
    """Of files of your own."""
    sequence_column: str = "sequence"
    """Of tables of your own."""
    label_column: str = "label"
    """Of tables of your own."""
    fold: int | None = None
    """Cross-validation: which tenth, 0 to 9, is tested on; the other nine train, none validates."""
    strands: Literal["one", "both"] = "one"
    """Whether training reads the reverse complement of every sequence as well; not where the
    direction says what a sequence is, as at a splice junction."""
    conv_filters: int = config.tunable(64, choices=(32, 64, 96))
    """Features of a run of bases; 0 lets the recurrent layer read each base."""
    kernel_size: int = config.tunable(9, choices=(6, 9, 12, 15))
    """Bases that a run is seen with."""
    strides: int = config.tunable(3, choices=(1, 2, 3, 5))
    """Bases from one run to the next."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(96, choices=(48, 64, 96, 128))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Recurrent layers, each from both ends."""
    pooling: Literal["attention", "last", "max", "middle"] = "middle"
    """How the steps become one vector; the middle is where a junction is, for sequences in which
    the place says nothing there are attention and max."""
    kmer: int = config.tunable(3, choices=(0, 2, 3))
    """Length of the k-mers of a position-weight model that is scored next to the network; 0 for no
    such model. It needs `--pooling middle`."""
    dropout: float = config.tunable(0.5, low=0.2, high=0.6)
    """Share of the features dropped between layers."""
    base_dropout: float = config.tunable(0.0, low=0.0, high=0.2)
    """Share of the bases that may be any in training."""
    weight_decay: float = config.tunable(0.1, low=0.005, high=0.2, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.005, low=0.001, high=0.02, log=True)
    """The highest of the schedule."""
    batch_size: int = 128
    """Sequences an update."""
    steps: int = 330
    """Optimizer steps in all, rounded to whole passes over the training sequences (epochs)."""
    keep_best: bool = False
    """Keep the weights of the epoch that did best on the validation split, not the last."""

    # Less subject to chance than the accuracy of three hundred sequences.
    monitor = "cross_entropy"
    mode = "min"

    def __post_init__(self):
        super().__post_init__()
        if self.fold is not None and not 0 <= self.fold < 10:
            raise InputError(f"--fold must be 0 to 9, got {self.fold}.")


PRESETS = {"default": Config()}

"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Annotated, Literal

from keras_seq import InputError
from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.ClassifierConfig):
    """Many to one: a bidirectional recurrent network classifies a sequence."""

    encoding: config.Encoding = "utf-8"
    """Encoding of your own text files."""
    delimiter: config.Delimiter | None = None
    """Delimiter in your own tables: one character or "tab". Default: detected."""
    sequence_column: config.Name = "sequence"
    """Column of the sequences in your own tables."""
    label_column: config.Name = "label"
    """Column of the labels in your own tables."""
    header_label: config.Name | None = None
    """Class in the headers of your own FASTA and FASTQ files: the number of a field between "|" or
    blanks, or KEY for KEY=CLASS. Default: detected if files and folders are not named by class."""
    fold: Annotated[int | None, config.Range(0, 9, is_integer=True)] = None
    """Fold to test on in ten-fold cross-validation, 0 to 9. The other nine folds train."""
    strands: Literal["one", "both"] = "one"
    """Strands to train on. "both" adds the reverse complement of each training sequence; use it
    only if the direction does not matter for the class."""
    conv_filters: config.NonNegativeInt = config.tunable(64, choices=(32, 64, 96))
    """Filters of the convolution over bases; 0 for no convolution."""
    kernel_size: config.PositiveInt = config.tunable(9, choices=(6, 9, 12, 15))
    """Kernel size of the convolution, in bases."""
    strides: config.PositiveInt = config.tunable(3, choices=(1, 2, 3, 5))
    """Strides of the convolution, in bases."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(96, choices=(48, 64, 96, 128))
    """Hidden units per layer and direction."""
    num_layers: config.PositiveInt = config.tunable(1, choices=(1, 2))
    """Number of bidirectional recurrent layers."""
    pooling: Literal["attention", "last", "max", "middle"] = "middle"
    """Pooling over time steps. "middle" suits sequences with the site in the middle; "attention"
    and "max" suit sites at any position."""
    kmer: Annotated[int, config.Range(0, 8, is_integer=True)] = config.tunable(3, choices=(0, 2, 3))
    """K-mer length of the weight array model next to the network, 0 to 8; 0 for no such model. Only
    for `--pooling middle`."""
    dropout: config.Probability = config.tunable(0.5, low=0.2, high=0.6)
    """Dropout rate between layers, 0 to 1."""
    base_dropout: config.Probability = config.tunable(0.0, low=0.0, high=0.2)
    """Fraction of the bases replaced by N during training, 0 to 1."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.1, low=0.005, high=0.2, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.005, low=0.001, high=0.02, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt = 128
    steps: config.PositiveInt | None = 330
    keep_best: bool = False

    # The accuracy of about three hundred sequences is noisier than the cross-entropy.
    monitor = "cross_entropy"
    mode = "min"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.conv_filters and self.strides > self.kernel_size:
            raise InputError(
                f"--strides must be at most --kernel-size, {self.kernel_size}, got {self.strides}."
            )


PRESETS = {"default": Config()}

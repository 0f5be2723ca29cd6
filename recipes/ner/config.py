"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to many, aligned: recurrent layers read the sentence, a CRF tags every token."""

    encoding: str = "utf-8"
    """Of files of your own."""
    token_column: int = 0
    """Of CoNLL files, from 0; negative numbers count from the last column."""
    tag_column: int = -1
    """Of CoNLL files."""
    tag_scheme: Literal["auto", "IOB1", "IOB2", "IOBES"] = "auto"
    """The scheme of the tags in CoNLL files."""
    tokenizer: Literal["auto", "char_nospace", "word"] = "auto"
    """What the tokens of raw text are; by default characters for Chinese and Japanese."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(128, choices=(64, 96, 128, 192, 256))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(2, choices=(1, 2, 3))
    """Recurrent layers."""
    vectors: str | None = None
    """A file of vectors to start the embedding from (word2vec, fastText or GloVe, as text)."""
    bigram_dropout: float = config.tunable(0.3, low=0.0, high=0.6)
    """Share of the steps at which pairs of neighbours are dropped in training."""
    dropout: float = config.tunable(0.5, low=0.2, high=0.7)
    """Share of the features dropped between layers."""
    learning_rate: float = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 128
    """Sentences an update."""
    steps: int = 1_960
    """Optimizer steps in all, rounded to whole passes over the training sentences (epochs)."""

    monitor = "f1"


PRESETS = {
    "default": Config(),
    # About four times the default's time.
    "large": Config(units=192, batch_size=64, learning_rate=0.002, steps=6_720),
}

"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to many, unaligned: one network reads a sentence, another writes its translation."""

    source: str = "en"
    """The language to translate from; the built-in catalogues have English alone."""
    target: str = "fr"
    """The language to translate to."""
    encoding: str = "utf-8"
    """Of text files of your own."""
    tokenizer: Literal["wordpiece", "word_metaspace", "char"] = "wordpiece"
    """What the networks read and write."""
    vocab_size: int = 3_000
    """How many pieces of words there are at most, in either language."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(256, choices=(128, 192, 256, 384))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Recurrent layers that read, each from both ends; one writes."""
    embedding_dim: int = 256
    """Width of the embeddings of tokens."""
    attention: Literal["additive", "general"] = config.tunable(
        "general", choices=("additive", "general")
    )
    """Attention score of the decoder."""
    dropout: float = config.tunable(0.4, low=0.1, high=0.6)
    """Share of the features dropped between layers."""
    weight_decay: float = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 64
    """Pairs an update."""
    steps: int = 3_000
    """Optimizer steps in all, rounded to whole passes over the training pairs (epochs)."""

    monitor = "bleu"


PRESETS = {
    "default": Config(),
    "large": Config(units=384, embedding_dim=384, dropout=0.5, steps=5_000),
}

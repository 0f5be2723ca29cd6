"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Seq2SeqConfig):
    """Many to many, unaligned: one network reads a sentence, another writes its translation."""

    source: str = "en"
    """The language to translate from; the built-in catalogues have English alone."""
    target: str = "fr"
    """The language to translate to."""
    encoding: str = "utf-8"
    """Of text files of your own."""
    tokens: Literal["subwords", "words", "characters"] = "subwords"
    """What the networks read and write."""
    subwords: int = 3_000
    """How many pieces of words there are at most, in either language."""
    minimum_count: int = 2
    """How often a word must occur in training to be known, if tokens are words."""
    embedding: int | None = 256
    """Width of the embeddings of tokens; none for one-hot input."""
    tied: bool = True
    """Use the embedding of what is written as the kernel of the output too."""
    dropout: float = config.tunable(0.4, between=(0.1, 0.6))
    """Share of the features dropped between layers."""
    label_smoothing: float = 0.1
    """Share of the probability that the loss spreads over all tokens."""
    batch_size: int = 64
    """Pairs an update."""
    updates: int = 3_000
    """Optimizer steps in all, rounded to whole passes over the training pairs (epochs)."""

    objective = "bleu"


PRESETS = {
    "default": Config(),
    "large": Config(units=384, embedding=384, dropout=0.5, updates=5_000),
}

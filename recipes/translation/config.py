"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq import recipe


@dataclasses.dataclass(frozen=True)
class Config(recipe.Config):
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
    cell: recipe.Cell = "LSTM"
    """The recurrent cell."""
    units: int = 256
    """Hidden units a layer and direction."""
    layers: int = 1
    """Recurrent layers that read, each from both ends."""
    decoder_layers: int = 1
    """Recurrent layers that write."""
    embedding: int | None = 256
    """Width of the embedding of a token; none for one-hot input."""
    tied: bool = True
    """Use the embedding of the target language as the kernel of the output too."""
    attention: Literal["additive", "dot", "general"] = "general"
    """How the decoder finds the words to look at."""
    input_feeding: bool = False
    """Let the decoder read where it has looked, for about twice the time."""
    dropout: float = 0.4
    """Share of the features dropped between layers."""
    recurrent_dropout: float = 0.0
    """Share of the state dropped from step to step."""
    scheduled_sampling: float = 0.0
    """Share of the words that are, in training, the model's own, in the end."""
    label_smoothing: float = 0.1
    """Share of the probability that the loss spreads over all tokens."""
    weight_decay: float = 0.01
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = 0.003
    """The highest of the schedule."""
    batch_size: int = 64
    """Pairs an update."""
    updates: int = 3_000
    """Optimizer steps in all, rounded to whole passes over the training pairs (epochs)."""

    objective = "bleu"


PRESETS = {
    "default": Config(),
    "large": Config(units=512, embedding=512, layers=2, dropout=0.5, updates=9_000),
}

"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq import recipe


@dataclasses.dataclass(frozen=True)
class Config(recipe.Config):
    """Many to many, unaligned: one network reads the letters, another writes the phonemes."""

    encoding: str = "utf-8"
    """Of files of your own."""
    stress: bool = False
    """Keep the stress of vowels, which the built-in lexicon has as digits."""
    cell: recipe.Cell = "LSTM"
    """The recurrent cell."""
    units: int = 256
    """Hidden units a layer and direction."""
    layers: int = 1
    """Recurrent layers that read, each from both ends."""
    decoder_layers: int = 1
    """Recurrent layers that write."""
    embedding: int | None = 128
    """Width of the embeddings of letters and phonemes; none for one-hot input."""
    tied: bool = False
    """Use the embedding of phonemes as the kernel of the output too."""
    attention: Literal["additive", "dot", "general"] = "general"
    """How the decoder finds the letters to look at."""
    input_feeding: bool = False
    """Let the decoder read where it has looked, for about twice the time."""
    dropout: float = 0.3
    """Share of the features dropped between layers."""
    recurrent_dropout: float = 0.0
    """Share of the state dropped from step to step."""
    scheduled_sampling: float = 0.0
    """Share of the phonemes that are, in training, the model's own, in the end."""
    label_smoothing: float = 0.0
    """Share of the probability that the loss spreads over all phonemes."""
    weight_decay: float = 0.01
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = 0.003
    """The highest of the schedule."""
    batch_size: int = 256
    """Pronunciations an update."""
    updates: int = 3_300
    """Optimizer steps in all, rounded to whole passes over the training words (epochs)."""

    objective = "wer"
    less_is_better = True


PRESETS = {
    "default": Config(),
    "stress": Config(stress=True),
    "large": Config(units=384, layers=2, decoder_layers=2, dropout=0.4, updates=7_500),
}

"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to one: a recurrent network reads the sentence and says what it is."""

    domain: Literal["movies", "tweets", "products", "news"] = "movies"
    """Which of the builtin sentences."""
    encoding: str = "utf-8"
    """Of files of your own."""
    text_column: str = "text"
    """Of tables of your own."""
    label_column: str = "label"
    """Of tables of your own."""
    tokenizer: Literal["word", "char_nospace", "char"] = "word"
    """What a step reads; characters for Chinese and Japanese."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(96, choices=(32, 64, 96, 128, 192))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Recurrent layers."""
    vectors: str | None = None
    """A file of vectors to start the embedding from (word2vec, fastText or GloVe, as text)."""
    init_from: str | None = None
    """The folder of a run of `language_model` over words, to start from what it has learnt."""
    pooling: Literal["attention", "last", "max"] = config.tunable(
        "attention", choices=("attention", "max")
    )
    """How the steps become one vector."""
    dropout: float = config.tunable(0.5, low=0.2, high=0.7)
    """Share of the features dropped between layers."""
    token_dropout: float = config.tunable(0.1, low=0.0, high=0.3)
    """Share of the tokens not read in training."""
    weight_decay: float = config.tunable(0.05, low=0.005, high=0.2, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 64
    """Sentences an update."""
    steps: int = 1_200
    """Optimizer steps in all, rounded to whole passes over the training sentences (epochs)."""

    # Less subject to chance than the accuracy of a thousand sentences.
    monitor = "cross_entropy"
    mode = "min"


PRESETS = {"default": Config()}

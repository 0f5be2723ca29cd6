"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to one: a recurrent network reads the sentence and says what it is."""

    domain: Literal["movies", "tweets", "products", "news"] = "movies"
    """Which of the builtin sentences."""
    pooled: bool = True
    """Learn from the training sentences of the other domains too."""
    weight_of_others: float = 0.3
    """How much these count."""
    steepness: float = 1.0
    """How sure a label is, from the mean rating: its probability is sigmoid(steepness * rating);
    0 takes the label as certain."""
    encoding: str = "utf-8"
    """Of files of your own."""
    text_column: str = "text"
    """Of tables of your own."""
    label_column: str = "label"
    """Of tables of your own."""
    tokenizer: Literal["words", "characters", "text"] = "words"
    """What a step reads; characters for Chinese and Japanese."""
    minimum_count: int = 2
    """How often a token must occur in training to be known."""
    cell: config.Cell = config.tunable("LSTM", among=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(96, among=(32, 64, 96, 128, 192))
    """Hidden units a layer and direction."""
    layers: int = config.tunable(1, among=(1, 2))
    """Recurrent layers."""
    bidirectional: bool = True
    """Read the sentence from both ends."""
    embedding: int | None = 96
    """Width of the embedding of a token; none for one-hot input."""
    vectors: str | None = None
    """A file of vectors to start the embedding from (word2vec, fastText or GloVe, as text)."""
    init_from: str | None = None
    """The folder of a run of `language_model` over words, to start from what it has learnt."""
    bigram_embedding: int = 48
    """Width of the embedding of two neighbouring tokens; 0 for none."""
    minimum_pair_count: int = 3
    """How often two neighbouring tokens must occur in training to be known as a pair."""
    naive_bayes: bool = True
    """Let naive Bayes over words and pairs, its weights learnt, judge as well."""
    pooling: Literal["attention", "last", "max"] = config.tunable(
        "attention", among=("attention", "max")
    )
    """How the steps become one vector."""
    dropout: float = config.tunable(0.5, between=(0.2, 0.7))
    """Share of the features dropped between layers."""
    token_dropout: float = config.tunable(0.1, between=(0.0, 0.3))
    """Share of the tokens not read in training."""
    weight_decay: float = config.tunable(0.05, between=(0.005, 0.2), log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.003, between=(0.0005, 0.01), log=True)
    """The highest of the schedule."""
    batch_size: int = 64
    """Sentences an update."""
    updates: int = 1_200
    """Optimizer steps in all, rounded to whole passes over the training sentences (epochs)."""

    # Less subject to chance than the accuracy of a thousand sentences.
    objective = "cross_entropy"
    less_is_better = True


PRESETS = {"default": Config()}

"""What can be set, and the presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """One to many: a recurrent network says at every step what comes next."""

    encoding: str = "utf-8"
    """Of files of your own."""
    tokenizer: Literal["char", "word", "wordpiece"] = "char"
    """What a step reads and says."""
    vocab_size: int = 2_000
    """How many pieces of words there are at most, if these are the tokens."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(384, choices=(128, 192, 256, 384, 512))
    """Hidden units a layer."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Recurrent layers."""
    embedding_dim: int = 64
    """Width of the embedding of a token."""
    tie_embeddings: bool = False
    """Use the embedding as the kernel of the output too."""
    dropout: float = config.tunable(0.4, low=0.1, high=0.6)
    """Share of the features dropped between layers."""
    ngram_size: int = 5
    """Length of the longest run of tokens with a vector of its own, by hashing; 0 for none."""
    ngram_dropout: float = config.tunable(0.6, low=0.2, high=0.8)
    """Share of the steps at which the runs of one length are dropped in training."""
    match_dim: int = 32
    """Width of the vector of what followed when the sequence was last like this; 0 for none."""
    kneser_ney_order: int = 12
    """Tokens of the longest n-gram that is counted beside the network; 0 for none."""
    kneser_ney_weight: float = 0.3
    """Of the counts in what the model says."""
    weight_decay: float = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 16
    """Sequences an update."""
    steps: int = 2_600
    """Optimizer steps in all, rounded to whole passes over the training sequences (epochs)."""

    monitor = "bits_per_character"
    mode = "min"


PRESETS = {
    "default": Config(),
    "large": Config(units=448, dropout=0.45, ngram_dropout=0.65, kneser_ney_order=16, steps=4_000),
    # Small, for `keras-seq train sentiment --init-from`.
    "reviews": Config(
        data="reviews",
        tokenizer="word",
        units=96,
        embedding_dim=96,
        ngram_size=0,
        match_dim=0,
        kneser_ney_order=0,
        batch_size=64,
    ),
    "newspaper": Config(
        data="peoples_daily",
        embedding_dim=128,
        tie_embeddings=True,
        dropout=0.3,
        ngram_size=0,
        kneser_ney_order=6,
        kneser_ney_weight=0.6,
        batch_size=32,
        steps=6_000,
    ),
}

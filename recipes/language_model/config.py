"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """One to many: a recurrent network predicts the next token at every step."""

    data: config.Name = "builtin"
    """Data source: builtin, peoples_daily, reviews, tfds:NAME[/CONFIG], hf:NAME[/CONFIG], or a
    path of your own."""
    encoding: config.Encoding = "utf-8"
    """Encoding of your own text files."""
    tokenizer: Literal["char", "word", "wordpiece"] = "char"
    """Tokenizer: characters, words, or subwords."""
    vocab_size: config.PositiveInt = 2_000
    """Maximum number of subwords. Only for `--tokenizer wordpiece`."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(384, choices=(128, 192, 256, 384, 512))
    """Hidden units per layer."""
    num_layers: config.PositiveInt = config.tunable(1, choices=(1, 2))
    """Number of recurrent layers."""
    embedding_dim: config.PositiveInt = 64
    """Size of the token embedding."""
    tie_embeddings: bool = False
    """Use the token embedding as the output kernel too."""
    dropout: config.Probability = config.tunable(0.4, low=0.1, high=0.6)
    """Dropout rate between layers, 0 to 1. One mask is used for all time steps."""
    ngram_size: config.NonNegativeInt = 5
    """Length of the longest hashed n-gram with an embedding; 0 for no n-gram embeddings."""
    ngram_dropout: config.Probability = config.tunable(0.6, low=0.2, high=0.8)
    """Fraction of the time steps at which the n-grams of one length are dropped, 0 to 1."""
    match_dim: config.NonNegativeInt = 32
    """Embedding size of the token after the longest earlier match; 0 for no such feature."""
    kneser_ney_order: config.NonNegativeInt = 20
    """Order of the Kneser-Ney model that is interpolated with the network; 0 for no such model."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt = 16
    steps: config.PositiveInt | None = 2_800

    monitor = "bits_per_character"
    mode = "min"
    hub_task = "text-generation"
    named_data = ("builtin", "peoples_daily", "reviews")


PRESETS = {
    "default": Config(),
    "large": Config(units=448, dropout=0.45, ngram_dropout=0.65, steps=4_000, patience=0),
    # A small model, for `keras-seq train sentiment --init-from`.
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
        batch_size=32,
        steps=6_000,
    ),
}

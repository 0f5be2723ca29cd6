"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Literal

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to many, unaligned: an encoder reads a sentence and a decoder writes its translation."""

    source: str = "en"
    """Source language, as a code such as "en". The built-in catalogs have only English."""
    target: str = "fr"
    """Target language, as a code such as "fr"."""
    encoding: str = "utf-8"
    """Encoding of your own text files."""
    delimiter: str | None = None
    """Delimiter in your own tables: one character or "tab". Default: detected in .csv, else tab."""
    header: bool | None = None
    """Whether your own tables have a header. Default: detected."""
    columns: str | None = None
    """Columns of text and translation in your own files, such as "2,4" or "en,fr"."""
    tokenizer: Literal["wordpiece", "word_metaspace", "char"] = "wordpiece"
    """Tokenizer of both languages: subwords, words, or characters."""
    vocab_size: config.PositiveInt = 3_000
    """Maximum number of subwords per language. Only for `--tokenizer wordpiece`."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(256, choices=(128, 192, 256, 384))
    """Hidden units per layer and direction."""
    num_layers: config.PositiveInt = config.tunable(1, choices=(1, 2))
    """Number of bidirectional encoder layers; the decoder has one layer."""
    embedding_dim: config.PositiveInt = 256
    """Size of the token embeddings."""
    attention: Literal["additive", "general"] = config.tunable(
        "general", choices=("additive", "general")
    )
    """Attention score of the decoder."""
    dropout: config.Probability = config.tunable(0.4, low=0.1, high=0.6)
    """Dropout rate between layers, 0 to 1. One mask is used for all time steps."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt = 64
    steps: config.PositiveInt | None = 3_000

    monitor = "bleu"
    hub_task = "translation"


PRESETS = {
    "default": Config(),
    "large": Config(units=384, embedding_dim=384, dropout=0.5, steps=5_000),
}

"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Literal

from keras_seq.data.opening import check_regular_file
from keras_seq.train import config

TagScheme = Literal[
    "auto", "BIO", "IOB1", "IOB2", "BIOES", "IOBES", "BILOU", "BMES", "BMEWO", "bare", "classes"
]
"""Schemes of tags; see `keras_seq.text.tag_schemes`."""


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to many, aligned: recurrent layers read a sentence and a CRF tags every token."""

    encoding: config.Encoding = "utf-8"
    """Encoding of your own text files."""
    token_column: int | str | None = None
    """Column of the tokens: an index from 0 (negative numbers count from the last), or a name.
    Default: detected."""
    tag_column: int | str | None = None
    """Column of the tags, such as UPOS or MISC:NER in CoNLL-U; see `--token-column`."""
    tag_names: str = ""
    """Names of numeric tags in JSON lines, separated by commas, such as O,B-PER,I-PER."""
    tag_scheme: TagScheme = "auto"
    """Tag scheme of your own files; "auto" detects it."""
    tokenizer: Literal["auto", "char_nospace", "word", "penn_treebank", "whitespace"] = "auto"
    """Tokenizer of raw text. "auto" chooses the one that reproduces the training tokens, or learns
    a rule from them. It splits texts with spans into characters if they are Chinese or Japanese,
    else into words."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(128, choices=(64, 96, 128, 192, 256))
    """Hidden units per layer and direction."""
    num_layers: config.PositiveInt = config.tunable(2, choices=(1, 2, 3))
    """Number of recurrent layers."""
    vectors: config.Name | None = None
    """File of pretrained word vectors for the embedding (word2vec, fastText or GloVe, as text)."""
    bigram_dropout: config.Probability = config.tunable(0.3, low=0.0, high=0.6)
    """Fraction of the time steps at which bigram embeddings are dropped, 0 to 1."""
    dropout: config.Probability = config.tunable(0.5, low=0.2, high=0.7)
    """Dropout rate between layers, 0 to 1."""
    learning_rate: config.PositiveFloat | None = config.tunable(
        None, low=0.0005, high=0.01, log=True
    )
    """Peak learning rate. Default: .003, or .01 for fewer than 2,000 training sentences."""
    batch_size: config.PositiveInt | None = None
    """Number of sentences per training step. Default: 128, or for fewer than 10,000 training
    sentences a thirtieth of them, rounded to 8, 16 or 32."""
    steps: config.PositiveInt | None = 1_960
    epochs: config.PositiveInt | None = 20

    monitor = "f1"
    hub_task = "token-classification"

    def check_files(self) -> None:
        super().check_files()
        if self.vectors is not None:
            check_regular_file(self.vectors)


PRESETS = {
    "default": Config(),
    # Takes about four times as long as the default.
    "large": Config(units=192, batch_size=64, learning_rate=0.002, steps=6_720),
}

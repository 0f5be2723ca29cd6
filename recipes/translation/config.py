"""Settings of the recipe, and its presets."""

import dataclasses
import re
from typing import Annotated, Literal

from keras_seq import InputError
from keras_seq.train import config

Language = Annotated[str, config.Form("a language, such as en", re.compile(r"\w[\w-]*").fullmatch)]
_LANGUAGES = """
    af am ar ar_DZ ast az be bg bn br bs ca ckb cs cy da de dsb el en_AU en_GB eo es es_AR es_CO
    es_MX es_VE et eu fa fi fr fy ga gd gl he hi hr hsb hu hy ia id ig io is it ja ka kab kk km kn
    ko ky lb lt lv mk ml mn mr ms my nb ne nl nn os pa pl pt pt_BR ro ru sk sl sq sr sr_Latn sv sw
    ta te tg th tk tr tt udm ug uk ur uz vi zh_Hans zh_Hant
"""
LANGUAGES = frozenset(_LANGUAGES.split())
"""Languages of the built-in catalogs: those of Django, which has all languages of the others."""


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to many, unaligned: an encoder reads a sentence and a decoder writes its translation."""

    source: Language = "en"
    """Source language, as a code such as "en". The built-in catalogs have only English."""
    target: Language = "fr"
    """Target language, as a code such as "fr"."""
    encoding: config.Encoding = "utf-8"
    """Encoding of your own text files."""
    delimiter: config.Delimiter | None = None
    """Delimiter in your own tables: one character or "tab". Default: detected in .csv, else tab."""
    header: bool | None = None
    """Whether your own tables have a header. Default: detected."""
    columns: config.Name | None = None
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

    def check_files(self) -> None:
        if self.data != "builtin":
            for path in self.data.split(","):  # one path, or two aligned files
                self._check_data(path)
        elif self.source != "en":
            raise InputError(
                "The built-in catalogs have only English texts: --source must be en, got "
                f"{self.source}."
            )
        elif self.target not in LANGUAGES:
            raise InputError(
                f"There is no built-in translation to --target {self.target!r}; take one of "
                f"{', '.join(sorted(LANGUAGES))}."
            )


PRESETS = {
    "default": Config(),
    "german": Config(target="de"),
    "large": Config(units=384, embedding_dim=384, dropout=0.5, steps=5_000),
}

"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Literal

from keras_seq.data.opening import check_regular_file
from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.ClassifierConfig):
    """Many to one: a bidirectional recurrent network classifies a sentence."""

    domain: Literal["movies", "tweets", "products", "news"] = "movies"
    """Domain of the built-in sentences to validate and test on."""
    encoding: config.Encoding = "utf-8"
    """Encoding of your own text files."""
    text_column: config.Name = "text"
    """Column of the texts in your own tables; a number, from 1, if they have no header."""
    label_column: config.Name = "label"
    """Column of the labels in your own tables; a number, from 1, if they have no header."""
    label_order: config.Name | None = None
    """Labels from the lowest to the highest, such as bad,fair,good; the mean absolute error is then
    measured too. Default: three or more labels that are numbers are ordered by value."""
    delimiter: config.Delimiter | None = None
    """Delimiter in your own tables: one character, or tab. Default: detected."""
    tokenizer: Literal["word", "char_nospace", "char"] = "word"
    """Tokenizer; use a character tokenizer for Chinese and Japanese."""
    cell: config.Cell = config.tunable("LSTM", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(96, choices=(32, 64, 96, 128, 192))
    """Hidden units per layer and direction."""
    num_layers: config.PositiveInt = config.tunable(1, choices=(1, 2))
    """Number of recurrent layers."""
    vectors: config.Name | None = None
    """File of pretrained word vectors for the embedding (word2vec, fastText or GloVe, as text)."""
    init_from: config.Name | None = None
    """Folder of a finished run of sentiment or language_model, whose weights the model starts from.
    From a language model over words, embeddings and first layer are copied."""
    pooling: Literal["attention", "last", "max"] = config.tunable(
        "attention", choices=("attention", "max")
    )
    """Pooling over time steps."""
    dropout: config.Probability = config.tunable(0.5, low=0.2, high=0.7)
    """Dropout rate between layers, 0 to 1."""
    word_dropout: config.Probability = config.tunable(0.1, low=0.0, high=0.3)
    """Fraction of the tokens replaced by the unknown token during training, 0 to 1."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.05, low=0.005, high=0.2, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.003, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt | None = None
    """Number of texts per training step. Default: 64, or for fewer than 1,400 training texts a
    thirtieth of them, rounded to 8, 16 or 32."""
    steps: config.PositiveInt | None = 1_200
    epochs: config.PositiveInt | None = 4

    # The accuracy of a thousand sentences is noisier than the cross-entropy.
    monitor = "cross_entropy"
    mode = "min"
    hub_task = "text-classification"
    init_recipes = ("language_model",)

    def check_files(self) -> None:
        super().check_files()
        if self.vectors is not None:
            check_regular_file(self.vectors)


PRESETS = {"default": Config()}

"""The model: a sequence generator over characters or words."""

import itertools
from collections.abc import Iterable

from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceGenerator
from keras_seq.text.subwords import into_pieces, learn_pieces
from keras_seq.text.tokenizers import SPLITTERS
from keras_seq.text.vocabulary import Vocabulary, frequent
from keras_seq.train.optimizers import adam_w

from .config import Config

SPLIT = {"characters": "text", "words": "words", "subwords": "pieces"}
"""How a text becomes tokens, see `keras_seq.text.tokenizers`."""
LONGEST = 512
"""Steps that gradients reach back at most."""


def build(config: Config, train: RawExamples) -> SequenceGenerator:
    """Return a generator that knows the tokens of the training paragraphs."""
    if config.tokens == "subwords":
        split = into_pieces(Vocabulary(learn_pieces(train.inputs, config.subwords)))
    else:
        split = SPLITTERS[SPLIT[config.tokens]]
    sequences = [[token for token, _, _ in split(text)] for text in train.inputs]
    tokens = list(itertools.chain.from_iterable(sequences))
    at_least = 1 if config.tokens == "subwords" else config.minimum_count
    model = SequenceGenerator(
        frequent(tokens, at_least) or frequent(tokens),
        split=SPLIT[config.tokens],
        embedding=config.embedding,
        tied=config.tied,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        dropout=config.dropout,
        ngrams=config.ngrams,
        ngram_rows=config.ngram_rows,
        ngram_dropout=config.ngram_dropout,
        recall=config.recall,
        kneser_ney=config.kneser_ney,
        kneser_ney_share=config.kneser_ney_share,
        counted=sequences,
        recurrent_dropout=config.recurrent_dropout,
    )
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    model.compile(optimizer, loss=model.loss_of_tokens)
    return model


def tokenize(model: SequenceGenerator, texts: Iterable[str]) -> list[list[str]]:
    """Return the tokens of texts."""
    return [model.tokens_of(text) for text in texts]


def encode(model: SequenceGenerator, examples: RawExamples) -> EncodedDataset:
    """Return paragraphs as the model is trained on them."""
    return model.encode(tokenize(model, examples.inputs), longest=LONGEST)

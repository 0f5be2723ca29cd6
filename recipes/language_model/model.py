"""The model: a sequence generator over characters or words."""

import itertools

from keras_seq.models import SequenceGenerator
from keras_seq.text.vocabulary import frequent
from keras_seq.train.loop import adam_w

from .data import SPLIT

LONGEST = 512
"""Steps that gradients reach back at most."""


def build(config, train):
    """A generator that knows the tokens of the training paragraphs."""
    tokens = list(itertools.chain.from_iterable(train.inputs))
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
        counted=train.inputs,
        recurrent_dropout=config.recurrent_dropout,
    )
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    model.compile(optimizer, loss=model.loss_of_tokens)
    return model


def arrays(model, examples):
    """Paragraphs as the model is trained on them."""
    return model.encode(examples.inputs, longest=LONGEST)

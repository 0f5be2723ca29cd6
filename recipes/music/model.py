"""The model: a sequence generator that knows styles."""

import itertools

import keras

from keras_seq.data.vocabulary import frequent
from keras_seq.models import SequenceGenerator
from keras_seq.training import warm_up_and_cosine

LONGEST = 384
"""Steps that gradients reach back at most."""


def build(config, train):
    """A generator that knows the events and the styles of the training tunes."""
    model = SequenceGenerator(
        frequent(itertools.chain.from_iterable(train.inputs), config.minimum_count),
        sorted(set(train.targets)),
        split="spaced",
        embedding=config.embedding,
        style_embedding=config.style_embedding,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        dropout=config.dropout,
        ngrams=config.ngrams,
        ngram_dropout=config.ngram_dropout,
        recall=config.recall,
    )
    schedule = warm_up_and_cosine(config.learning_rate, config.updates)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=config.weight_decay, global_clipnorm=1.0
    )
    model.compile(optimizer, loss=model.loss_of_tokens)
    return model


def arrays(model, examples):
    """Tunes as the model is trained on them."""
    return model.encode(examples.inputs, examples.targets, longest=LONGEST)

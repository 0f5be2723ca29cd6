"""The model: a sequence generator that knows styles."""

import itertools

from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceGenerator
from keras_seq.text.vocabulary import frequent
from keras_seq.train.optimizers import adam_w

from .config import Config

LONGEST = 384
"""Steps that gradients reach back at most."""


def build(config: Config, train: RawExamples) -> SequenceGenerator:
    """Return a generator that knows the events and the styles of the training tunes."""
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
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    model.compile(optimizer, loss=model.loss_of_tokens)
    return model


def encode(model: SequenceGenerator, examples: RawExamples) -> EncodedDataset:
    """Return tunes as the model is trained on them."""
    return model.encode(examples.inputs, examples.targets, longest=LONGEST)

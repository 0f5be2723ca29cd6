"""The model: a sequence classifier over runs of bases."""

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceClassifier
from keras_seq.train.optimizers import adam_w

from .bases import vectors
from .config import Config

PLACES = 200
"""Bases around the middle whose runs are counted, at most."""


def build(config: Config, train: RawExamples) -> SequenceClassifier:
    """Return a classifier that knows the labels of the training sequences."""
    labels = sorted(set(train.targets["labels"]))
    if len(labels) < 2:
        raise InputError(
            f"All training sequences have one label, {labels[0]!r}; there is nothing to learn."
        )
    known, longest = vectors(), max(map(len, train.inputs))
    # Where the middle is no special place, neither is any other.
    by_place = config.kmer and config.pooling == "middle"
    model = SequenceClassifier(
        [letter for letter in known if len(letter) == 1],
        labels,
        split="characters",
        embedding=known,
        convolution=(config.filters, config.width, config.stride) if config.filters else None,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        pooling=config.pooling,
        dropout=config.dropout,
        token_dropout=config.base_dropout,
        naive_bayes=(config.kmer, max(config.kmer, min(longest, PLACES))) if by_place else False,
    )
    losses = model.loss_of_labels
    if by_place:
        counted = encode(model, train)
        model.count(counted.inputs, np.eye(len(labels))[counted.targets["counted"]])
        losses = dict.fromkeys(counted.targets, losses)
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    model.compile(optimizer, loss=losses)
    return model


def encode(model: SequenceClassifier, examples: RawExamples) -> EncodedDataset:
    """Return sequences and labels as numbers."""
    return model.encode(examples.inputs, examples.targets["labels"])

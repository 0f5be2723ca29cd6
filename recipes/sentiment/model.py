"""The model: a sequence classifier over words."""

import dataclasses
import itertools
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.losses import MaskedCrossentropy
from keras_seq.models import SequenceClassifier
from keras_seq.text.tokenizers import SPLITTERS
from keras_seq.text.vocabulary import frequent
from keras_seq.train import runs
from keras_seq.train.optimizers import adam_w

from .config import Config

FORETOLD = 4_000
"""How many words are foretold."""


def build(config: Config, train: RawExamples) -> SequenceClassifier:
    """Return a classifier that knows the words and the labels of the training sentences."""
    labels = sorted(set(train.targets["labels"]))
    if len(labels) < 2:
        raise InputError(
            f"All training texts have one label, {labels[0]!r}; there is nothing to learn."
        )
    split = SPLITTERS[config.tokenizer]
    texts = [[token.lower() for token, _, _ in split(text)] for text in train.inputs]
    tokens = list(itertools.chain.from_iterable(texts))
    pairs = None
    if config.bigram_embedding:
        neighbours = itertools.chain.from_iterable(itertools.pairwise(text) for text in texts)
        pairs = frequent(neighbours, config.minimum_pair_count)
    model = SequenceClassifier(
        frequent(tokens, config.minimum_count) or frequent(tokens),
        labels,
        split=config.tokenizer,
        bigrams=pairs or None,
        embedding=config.embedding,
        bigram_embedding=config.bigram_embedding,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        bidirectional=config.bidirectional,
        pooling=config.pooling,
        dropout=config.dropout,
        token_dropout=config.token_dropout,
        foretell=FORETOLD if config.language_model else None,
        naive_bayes=config.naive_bayes,
    )
    if config.naive_bayes:
        counted = encode(model, train)
        model.count(counted.inputs, counted.targets["counted"])
    if config.vectors:
        model.load_vectors(config.vectors, config.encoding)
    if config.init_from:
        _, _, learnt = runs.Run(Path(config.init_from)).load()
        model.start_from(learnt)
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    losses, weights = {"labels": soft_cross_entropy}, {"labels": 1.0}
    if config.naive_bayes:
        losses["counted"], weights["counted"] = soft_cross_entropy, 1.0
    for name in ("next", "previous") if config.language_model else ():
        losses[name] = MaskedCrossentropy()
        weights[name] = config.language_model
    if len(losses) > 1:
        model.compile(optimizer, loss=losses, loss_weights=weights)
    else:
        model.compile(optimizer, loss=soft_cross_entropy)
    return model


def encode(model: SequenceClassifier, examples: RawExamples) -> EncodedDataset:
    """Return texts as the model is trained on them: the targets are probabilities times weights."""
    sentences = [model.tokens_of(text) or ["?"] for text in examples.inputs]
    encoded = model.encode(sentences, examples.targets["labels"])
    targets = encoded.targets if isinstance(encoded.targets, dict) else {"labels": encoded.targets}
    sure, count = examples.targets["sure"][:, None], len(model.labels)
    likely = targets["labels"][:, None] == np.arange(count)
    soft = np.where(likely, sure, (1 - sure) / (count - 1))
    soft = (soft * examples.targets["weights"][:, None]).astype("float32")
    targets = {
        name: soft if name in ("labels", "counted") else target for name, target in targets.items()
    }
    return dataclasses.replace(encoded, targets=targets if len(targets) > 1 else soft)


@keras.saving.register_keras_serializable(package="keras_seq")
def soft_cross_entropy(y_true, y_pred):
    """Cross-entropy of probabilities that may be weighted: `(batch,)`.

    Args:
        y_true: Probability of each label times the weight of the example, `(batch, labels)`.
        y_pred: Logits.
    """
    return -ops.sum(y_true * ops.log_softmax(y_pred, axis=-1), axis=-1)

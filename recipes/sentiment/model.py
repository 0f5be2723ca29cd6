"""The model: a sequence classifier over words."""

import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_seq import InputError, layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.data.vectors import read_vectors
from keras_seq.models import SequenceClassifier
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.vocabulary import build_vocabulary
from keras_seq.train import runs
from keras_seq.train.optimizers import adam_w

from .config import Config

EMBEDDING_DIM, BIGRAM_DIM = 96, 48
"""Widths of the embeddings of a token and of two neighbours."""
MIN_COUNT, MIN_PAIR_COUNT = 2, 3
"""Number of training occurrences from which a token and a pair of neighbours are known."""
USE_NAIVE_BAYES = True
"""Add naive Bayes over words and pairs as an expert next to the network."""


def build(config: Config, train: RawExamples) -> SequenceClassifier:
    """Return a classifier that knows the words and the labels of the training sentences."""
    labels = sorted(set(train.targets["labels"]))
    if len(labels) < 2:
        raise InputError(
            f"All training texts have one label, {labels[0]!r}; there is nothing to learn."
        )
    encoder = TextEncoder.from_examples(
        train.inputs, config.tokenizer, lowercase=True, min_count=MIN_COUNT
    )
    pairs = pair_ids(encoder, train.inputs, MIN_PAIR_COUNT)
    embedding = layers.TokenEmbedding(encoder, EMBEDDING_DIM)
    if config.vectors:
        vectors = read_vectors(config.vectors, set(encoder.vocabulary), config.encoding)
        embedding = layers.TokenEmbedding(encoder, len(next(iter(vectors.values()))))
        embedding.build((None, None))
        embedding.load_pretrained_vectors(vectors)
    features = [embedding]
    if pairs and BIGRAM_DIM:
        features.append(layers.BigramEmbedding(pairs, BIGRAM_DIM))
    stack = layers.RNNStack(
        config.cell,
        config.units,
        num_layers=config.num_layers,
        bidirectional=True,
        dropout=[config.dropout] * config.num_layers + [0.0],
        return_sequences=config.pooling != "last",
        name="stack",
    )
    pooling = None
    if config.pooling == "attention":
        pooling = layers.AttentionPooling(config.units, name="pooling")
    elif config.pooling == "max":
        pooling = layers.MaxPooling()
    experts = []
    if USE_NAIVE_BAYES:
        experts.append(layers.NaiveBayesExpert(encoder.vocab_size, len(labels), pairs))
    model = SequenceClassifier(
        encoder,
        labels,
        features=features,
        stack=stack,
        pooling=pooling,
        experts=experts,
        dropout=config.dropout,
        word_dropout=config.token_dropout,
    )
    if experts:
        counted = encode(model, train)
        model.adapt_experts(counted.inputs, counted.targets)
    if config.init_from:
        _, _, learnt = runs.Run(Path(config.init_from)).load()
        model.transfer_from(learnt)
    optimizer = adam_w(config.learning_rate, config.steps, config.weight_decay)
    names = ["labels", *(expert.name for expert in experts)]
    losses = dict.fromkeys(names, soft_cross_entropy) if experts else soft_cross_entropy
    model.compile(optimizer, loss=losses)
    return model


def pair_ids(encoder: TextEncoder, texts: Iterable[str], minimum_count: int) -> list[list[int]]:
    """Return the ids of the pairs of neighbouring tokens that occur often enough."""
    tokens = (encoder.tokenize(text) for text in texts)
    pairs = itertools.chain.from_iterable(map(itertools.pairwise, tokens))
    return [encoder.encode(pair) for pair in build_vocabulary(pairs, minimum_count)]


def encode(model: SequenceClassifier, examples: RawExamples) -> EncodedDataset:
    """Return texts as the model is trained on them: the targets are probabilities times weights."""
    sentences = [model.encoder.tokenize(text) or ["?"] for text in examples.inputs]
    encoded = model.encode(sentences, examples.targets["labels"])
    targets = encoded.targets
    labels = targets["labels"] if isinstance(targets, dict) else targets
    sure, count = examples.targets["sure"][:, None], len(model.labels)
    likely = labels[:, None] == np.arange(count)
    soft = np.where(likely, sure, (1 - sure) / (count - 1))
    soft = (soft * examples.targets["weights"][:, None]).astype("float32")
    soft = dict.fromkeys(targets, soft) if isinstance(targets, dict) else soft
    return dataclasses.replace(encoded, targets=soft)


@keras.saving.register_keras_serializable(package="keras_seq")
def soft_cross_entropy(y_true, y_pred):
    """Cross-entropy of probabilities that may be weighted: `(batch,)`.

    Args:
        y_true: Probability of each label times the weight of the example, `(batch, labels)`.
        y_pred: Logits.
    """
    return -ops.sum(y_true * ops.log_softmax(y_pred, axis=-1), axis=-1)

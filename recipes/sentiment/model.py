"""Model of the recipe: a `SequenceClassifier` over words."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq import InputError, layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.data.vectors import read_vectors
from keras_seq.layers.text.bigram_embedding import merge_pairs
from keras_seq.models import SequenceClassifier
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.merging import merge_encoders
from keras_seq.text.subwords import get_tokenizer
from keras_seq.text.vocabulary import build_vocabulary
from keras_seq.train.optimizers import adam_w

from .config import Config
from .label_order import sort_labels

EMBEDDING_DIM, BIGRAM_DIM = 96, 48
"""Sizes of the token and bigram embeddings."""
MIN_COUNT, MIN_PAIR_COUNT = 2, 3
"""Minimum number of training occurrences of a token and of a bigram in the vocabulary."""
SMALL_MIN_COUNT, SMALL_MIN_PAIR_COUNT = 1, 2
"""The same numbers on small data, where most tokens occur once."""
USE_NAIVE_BAYES = True
"""Add naive Bayes over words and bigrams, and over character n-grams, to the network."""
NUM_BUCKETS = 2**20
"""Number of hashes of character n-grams. With fewer, more n-grams have the same hash."""
MAX_NETWORK_WEIGHT = 0.4
"""Weight of the logits of the network next to those of the experts, which are calibrated alone."""
FULL_WEIGHT_TEXTS = 4_000
"""Number of training texts from which the network has this weight. It is proportional to the number
below, because the network overfits."""
MAX_SMALL = 9_999
"""Largest number of training texts of small data."""
MAX_REGRESSION = 3_000
"""Largest number of training texts for which the experts are mixed with logistic regression. On
5,000 texts, naive Bayes alone is better."""
WORD_WEIGHT, CHAR_WEIGHT = 0.45, 0.225
"""Weights of the log-count ratios of words and of character n-grams, before they are calibrated."""
MAX_PADDED_TOKENS = 5_000_000
"""Largest number of training texts times tokens of the longest one for character n-grams. A token
needs 80 bytes of memory."""


def batch_size(config: Config, train: RawExamples) -> int:
    """Return the number of texts per training step.

    Args:
        config: Config of the run.
        train: Training sentences.
    """
    if config.batch_size is not None:
        return config.batch_size
    # About 30 steps per epoch on the smallest data.
    return min(64, max(8, 2 ** round(math.log2(len(train) / 30))))


def build(
    config: Config, train: RawExamples, initial: SequenceClassifier | None = None
) -> SequenceClassifier:
    """Return a compiled classifier for the words and labels of the training sentences.

    Args:
        config: Config of the run.
        train: Training sentences.
        initial: Trained model whose words and bigrams the model keeps, or None.

    Raises:
        InputError: If all sentences have the same label.
    """
    labels = sort_labels(set(train.targets["labels"]), config.label_order)
    if len(labels) < 2:
        raise InputError(
            f"All training texts have the label {labels[0]!r}; a classifier needs two or more."
        )
    is_small = len(train) <= MAX_SMALL
    min_count = SMALL_MIN_COUNT if is_small else MIN_COUNT
    min_pair_count = SMALL_MIN_PAIR_COUNT if is_small else MIN_PAIR_COUNT
    # Tokenized once.
    tokenize = get_tokenizer(config.tokenizer)
    sentences = [[token.text for token in tokenize(text, True)] for text in train.inputs]
    train = dataclasses.replace(train, inputs=sentences)
    encoder = TextEncoder.from_examples(
        sentences, config.tokenizer, lowercase=True, min_count=min_count
    )
    if initial is not None:
        encoder = merge_encoders(initial.encoder, encoder)
    pairs = pair_ids(encoder, sentences, min_pair_count)
    if initial is not None:
        pairs = merge_pairs(initial.features, pairs)
    features: list[keras.layers.Layer] = [_embedding(config, encoder)]
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
    pooling: keras.layers.Layer | None = None
    if config.pooling == "attention":
        pooling = layers.AttentionPooling(config.units, name="pooling")
    elif config.pooling == "max":
        pooling = layers.MaxPooling()
    experts = _experts(encoder, sentences, len(labels), pairs)
    model = SequenceClassifier(
        encoder,
        labels,
        features=features,
        stack=stack,
        pooling=pooling,
        experts=experts,
        dropout=config.dropout,
        word_dropout=config.word_dropout,
    )
    loss: Any = soft_cross_entropy
    if experts:
        encoded = encode(model, train)
        model.adapt_experts(encoded.inputs, encoded.targets, calibrate=True)
        if len(train) <= MAX_REGRESSION:
            from .regression import mix_with_regression

            mix_with_regression(experts, encoded.inputs, encoded.targets["labels"])
        # The experts have no loss.
        loss = dict.fromkeys(expert.name for expert in experts)
        loss |= {"labels": ReducedCrossentropy(network_weight(len(train)))}
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay), loss=loss)
    return model


def _experts(
    encoder: TextEncoder,
    sentences: Sequence[Sequence[str]],
    num_labels: int,
    pairs: Sequence[Sequence[int]],
) -> list[keras.layers.Layer]:
    """Return naive Bayes over words and bigrams, and over character n-grams.

    They are not trained after they have counted. With a character tokenizer, n-grams within a token
    would be single characters.
    """
    if not USE_NAIVE_BAYES:
        return []
    words = layers.NaiveBayesExpert(
        encoder.vocab_size, num_labels, pairs, WORD_WEIGHT, normalize=True, trainable=False
    )
    longest = max(map(len, sentences))
    if encoder.tokenizer != "word" or len(sentences) * longest > MAX_PADDED_TOKENS:
        return [words]
    characters = layers.CharNgramExpert(
        num_labels, num_buckets=NUM_BUCKETS, initial_weight=CHAR_WEIGHT, trainable=False
    )
    return [words, characters]


def _embedding(config: Config, encoder: TextEncoder) -> layers.TokenEmbedding:
    """Return the token embedding, with pretrained vectors if the config names a file."""
    if not config.vectors:
        return layers.TokenEmbedding(encoder, EMBEDDING_DIM)
    vectors = read_vectors(config.vectors, set(encoder.vocabulary), config.encoding)
    embedding = layers.TokenEmbedding(encoder, len(next(iter(vectors.values()))))
    embedding.build((None, None))
    embedding.load_pretrained_vectors(vectors)
    return embedding


def pair_ids(
    encoder: TextEncoder, sentences: Iterable[Sequence[str]], min_count: int
) -> list[list[int]]:
    """Return the ids of the pairs of adjacent tokens that occur at least `min_count` times."""
    pairs = itertools.chain.from_iterable(map(itertools.pairwise, sentences))
    return [encoder.encode(pair) for pair in build_vocabulary(pairs, min_count)]


def encode(model: SequenceClassifier, examples: RawExamples) -> EncodedDataset:
    """Return texts as arrays to train on, with soft labels times sample weights as targets."""
    sentences = [model.encoder.tokenize(text) or ["?"] for text in examples.inputs]
    encoded = model.encode(sentences)
    labels = np.array([model.labels.index(label) for label in examples.targets["labels"]])
    confidence, num_labels = examples.targets["confidence"][:, None], len(model.labels)
    is_label = labels[:, None] == np.arange(num_labels)
    soft = np.where(is_label, confidence, (1 - confidence) / (num_labels - 1))
    soft = (soft * examples.targets["weights"][:, None]).astype("float32")
    return dataclasses.replace(encoded, targets={"labels": soft} if model.experts else soft)


@keras.saving.register_keras_serializable(package="keras_seq")
def soft_cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Return the cross-entropy of weighted soft labels, `(batch,)`.

    Args:
        y_true: Label probabilities times the sample weight, `(batch, labels)`.
        y_pred: Logits `(batch, labels)`.
    """
    return -ops.sum(y_true * ops.log_softmax(y_pred, axis=-1), axis=-1)


def network_weight(num_texts: int) -> float:
    """Return the weight of the logits of the network next to those of the experts.

    Args:
        num_texts: Number of training texts.
    """
    return MAX_NETWORK_WEIGHT * min(1, num_texts / FULL_WEIGHT_TEXTS)


@keras.saving.register_keras_serializable(package="keras_seq")
class ReducedCrossentropy(keras.losses.Loss):
    """`soft_cross_entropy` of a network whose logits are reduced by a weight.

    Args:
        weight: Weight of the logits.
    """

    def __init__(self, weight: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return soft_cross_entropy(y_true, y_pred / self.weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}

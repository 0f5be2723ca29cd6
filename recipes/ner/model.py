"""Model of the recipe: a `SequenceTagger` over characters or words."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_seq import InputError, layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.data.vectors import read_vectors
from keras_seq.layers.text.bigram_embedding import merge_pairs
from keras_seq.models import AuxiliaryTags, SequenceTagger
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.merging import merge_encoders
from keras_seq.text.subwords import get_tokenizer
from keras_seq.text.tag_schemes import convert_tags
from keras_seq.text.tags import TagSet
from keras_seq.text.tokenizer_choice import (
    TokenizerChoice,
    choose_tokenizer,
    measure_tokenizer,
)
from keras_seq.text.vocabulary import build_vocabulary
from keras_seq.text.words import are_characters
from keras_seq.train.optimizers import adam_w

from .config import Config
from .data import SCHEME, data_scheme, tag_scheme

EMBEDDING_DIM, BIGRAM_DIM, CHAR_UNITS = 64, 48, 25
"""Sizes of the token and bigram embeddings, and units of the character encoder."""
MIN_COUNT, MIN_PAIR_COUNT = 2, 5
"""Minimum number of training occurrences of a token and of a bigram in the vocabulary."""
MAX_SMALL = 9_999
"""Largest number of training sentences of small data."""
MIN_SLOW = 2_000
"""Smallest number of training sentences that are learned at the lower rate. Less data takes so few
steps that it needs a higher one."""
MAX_TEMPLATE_WEIGHTS = 3_000_000
"""Largest number of weights of template features: features times tags. Each train step updates all
of them."""
TEMPLATE_DROPOUT = 0.5
MAX_IOBES_LABELS = 20
"""Largest number of labels with IOBES tags. More labels have IOB2 tags, which are half as many: the
time of the CRF grows with the square of their number."""
POS_LOSS_WEIGHT = 10.0
"""Loss weight of word boundaries and parts of speech, if the data has them."""


def batch_size(config: Config, train: RawExamples) -> int:
    """Return the number of sentences per training step.

    Args:
        config: Config of the run.
        train: Training sentences.
    """
    if config.batch_size is not None:
        return config.batch_size
    if len(train) > MAX_SMALL:
        return 128
    # About 30 steps per epoch on the smallest data, as validation takes time after each epoch.
    return min(32, max(8, 2 ** round(math.log2(len(train) / 30))))


def learning_rate(config: Config, train: RawExamples) -> float:
    """Return the peak learning rate.

    Args:
        config: Config of the run.
        train: Training sentences.
    """
    if config.learning_rate is not None:
        return config.learning_rate
    return 0.01 if len(train) < MIN_SLOW else 0.003


def build(
    config: Config, train: RawExamples, initial: SequenceTagger | None = None
) -> SequenceTagger:
    """Return a compiled tagger for the tokens and labels of the training sentences.

    Args:
        config: Config of the run.
        train: Training sentences.
        initial: Trained model whose tokens and bigrams the model keeps, or None.

    Raises:
        InputError: If no sentence has an entity.
    """
    sentences, tags = train.inputs, train.targets["tags"]
    is_characters = are_characters(itertools.chain.from_iterable(sentences))
    tokenizer, rule, report = choose(config, train)
    encoder = TextEncoder.from_examples(sentences, tokenizer, min_count=MIN_COUNT, split_rule=rule)
    if initial is not None:
        encoder = merge_encoders(initial.encoder, encoder)
    if not any(tag != "O" for tag in itertools.chain.from_iterable(tags)):
        raise InputError("No training sentence has an entity; a tagger needs at least one.")
    scheme = tag_scheme(config, tags)
    tag_set = TagSet.from_examples(tags, scheme)
    if scheme == SCHEME and len(tag_set.labels) > MAX_IOBES_LABELS:
        tag_set = TagSet(tag_set.labels, "IOB2")
    model = SequenceTagger(
        encoder,
        tag_set,
        features=_features(config, encoder, sentences, is_characters, initial),
        stack=_stack(config),
        experts=_experts(sentences, len(tag_set), initial),
        auxiliary=_auxiliary(config, train),
    )
    model.tokenizer_report = report
    weights = None
    if isinstance(model.output, dict):
        weights = dict.fromkeys(model.output, 1.0)
        weights |= {"auxiliary": POS_LOSS_WEIGHT} if model.auxiliary else {}
    model.compile(adam_w(learning_rate(config, train), config.steps), loss_weights=weights)
    return model


def choose(config: Config, train: RawExamples) -> TokenizerChoice:
    """Return the tokenizer of raw text, and how it reproduces the tokens of the training data.

    Args:
        config: Config of the run.
        train: Training sentences.
    """
    texts = train.targets.get("texts")
    if config.tokenizer == "auto":
        return choose_tokenizer(train.inputs, texts)
    report = measure_tokenizer(get_tokenizer(config.tokenizer), train.inputs, texts)
    return TokenizerChoice(config.tokenizer, None, report)


def _features(
    config: Config,
    encoder: TextEncoder,
    sentences: Sequence[Sequence[str]],
    is_characters: bool,
    initial: SequenceTagger | None,
) -> list[keras.layers.Layer]:
    """Return the feature layers: token embedding, and bigrams or characters."""
    features = [_embedding(config, encoder)]
    if is_characters:
        pairs = itertools.chain.from_iterable(map(itertools.pairwise, sentences))
        ids = [encoder.encode(pair) for pair in build_vocabulary(pairs, MIN_PAIR_COUNT)]
        if initial is not None:
            ids = merge_pairs(initial.features, ids)
        if ids:
            bigrams = layers.BigramEmbedding(ids, BIGRAM_DIM)
            # Dropping all bigrams of a time step keeps the model from relying on known ones.
            dropout = keras.layers.Dropout(config.bigram_dropout, noise_shape=(None, None, 1))
            features.append(keras.Sequential([bigrams, dropout], name="bigrams"))
    else:
        features.append(layers.CharEncoder(CHAR_UNITS, config.cell))
    return features


def _embedding(config: Config, encoder: TextEncoder) -> layers.TokenEmbedding:
    """Return the token embedding, with pretrained vectors if the config names a file."""
    if not config.vectors:
        return layers.TokenEmbedding(encoder, EMBEDDING_DIM)
    vectors = read_vectors(config.vectors, set(encoder.vocabulary), config.encoding)
    embedding = layers.TokenEmbedding(encoder, len(next(iter(vectors.values()))))
    embedding.build((None, None))
    embedding.load_pretrained_vectors(vectors)
    return embedding


def _stack(config: Config) -> list[layers.RNNStack]:
    """Return the first recurrent layer, whose output predicts word tags, and those above it."""
    num_upper = config.num_layers - 1
    # Dropout before each layer and after the last one.
    dropout = [config.dropout, 0.0 if num_upper else config.dropout]
    options: dict[str, Any] = {"bidirectional": True, "name": "lower_stack"}
    stack = [layers.RNNStack(config.cell, config.units, dropout=dropout, **options)]
    if num_upper:
        options["name"] = "upper_stack"
        stack.append(
            layers.RNNStack(config.cell, config.units, num_upper, dropout=config.dropout, **options)
        )
    return stack


def _experts(
    sentences: Sequence[Sequence[str]],
    num_tags: int,
    initial: SequenceTagger | None,
) -> list[keras.layers.Layer]:
    """Return the expert over template features, if the data is small or `initial` has one."""
    trained = [
        layer.keys
        for layer in (initial.experts if initial is not None else ())
        if isinstance(layer, layers.TemplateFeatures)
    ]
    if len(sentences) > MAX_SMALL and not trained:
        return []
    expert = layers.TemplateFeatures.from_examples(
        sentences,
        num_tags,
        max_features=MAX_TEMPLATE_WEIGHTS // num_tags,
        dropout=TEMPLATE_DROPOUT,
    )
    if trained:
        keys = np.concatenate([expert.keys, *trained]).tolist()
        expert = layers.TemplateFeatures(keys, num_tags, dropout=TEMPLATE_DROPOUT)
    return [expert]


def _auxiliary(config: Config, train: RawExamples) -> AuxiliaryTags | None:
    """Return the head for word boundaries and parts of speech, if the data has them."""
    word_tags = train.targets["word_tags"]
    if not (word_tags and any(word_tags[0])):
        return None
    vocabulary = build_vocabulary(itertools.chain.from_iterable(word_tags))
    return AuxiliaryTags(vocabulary, config.dropout)


def encode(model: SequenceTagger, examples: RawExamples) -> EncodedDataset:
    """Return sentences and tags as arrays to train on."""
    scheme = model.tag_set.scheme
    tags = [convert_tags(row, data_scheme(model), scheme) for row in examples.targets["tags"]]
    word_tags = examples.targets["word_tags"]
    targets = {"tags": tags, "auxiliary": word_tags} if model.auxiliary else tags
    return model.encode(examples.inputs, targets)

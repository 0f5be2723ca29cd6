"""The model: a sequence tagger over characters or words."""

import itertools

import keras

from keras_seq import InputError, layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.data.vectors import read_vectors
from keras_seq.models import AuxiliaryTags, SequenceTagger
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet
from keras_seq.text.vocabulary import build_vocabulary
from keras_seq.train.optimizers import adam_w

from .config import Config
from .data import SCHEME

EMBEDDING_DIM, BIGRAM_DIM, CHAR_UNITS = 64, 48, 25
"""Widths of the embeddings of a token and of two neighbours, and units that read characters."""
MIN_COUNT, MIN_PAIR_COUNT = 2, 5
"""Number of training occurrences from which a token and a pair of neighbours are known."""
POS_LOSS_WEIGHT = 10.0
"""Weight of the loss of words and their parts of speech, where the data has them."""


def build(config: Config, train: RawExamples) -> SequenceTagger:
    """Return a tagger of the tokens and the labels of the training sentences."""
    sentences, tags = train.inputs, train.targets["tags"]
    is_characters = all(len(token) == 1 for token in itertools.chain.from_iterable(sentences))
    tokenizer = "char_nospace" if is_characters else "word"
    if config.tokenizer != "auto":
        tokenizer = config.tokenizer
    encoder = TextEncoder.from_examples(sentences, tokenizer, min_count=MIN_COUNT)
    if not any(tag != "O" for tag in itertools.chain.from_iterable(tags)):
        raise InputError("No training sentence has an entity, so that there is nothing to learn.")
    model = SequenceTagger(
        encoder,
        TagSet.from_examples(tags, SCHEME),
        features=_features(config, encoder, sentences, is_characters),
        stack=_stack(config),
        auxiliary=_auxiliary(config, train),
    )
    weights = {"tags": 1.0, "auxiliary": POS_LOSS_WEIGHT} if model.auxiliary else None
    model.compile(adam_w(config.learning_rate, config.steps), loss_weights=weights)
    return model


def _features(config, encoder, sentences, is_characters):
    """Return the layers that read a token: its embedding, and pairs or letters."""
    features = [_embedding(config, encoder)]
    if is_characters:
        pairs = itertools.chain.from_iterable(map(itertools.pairwise, sentences))
        pairs = build_vocabulary(pairs, MIN_PAIR_COUNT)
        if pairs:
            ids = [encoder.encode(pair) for pair in pairs]
            pairs = layers.BigramEmbedding(ids, BIGRAM_DIM)
            # All pairs of a step at once, so that the model does not rely on those it knows.
            drop = keras.layers.Dropout(config.bigram_dropout, noise_shape=(None, None, 1))
            features.append(keras.Sequential([pairs, drop], name="bigrams"))
    else:
        features.append(layers.CharEncoder(CHAR_UNITS, config.cell))
    return features


def _embedding(config, encoder):
    """Return the embedding of tokens, which may start from the vectors of a file."""
    if not config.vectors:
        return layers.TokenEmbedding(encoder, EMBEDDING_DIM)
    vectors = read_vectors(config.vectors, set(encoder.vocabulary), config.encoding)
    embedding = layers.TokenEmbedding(encoder, len(next(iter(vectors.values()))))
    embedding.build((None, None))
    embedding.load_pretrained_vectors(vectors)
    return embedding


def _stack(config):
    """Return the first recurrent layer and those above it, since word tags are learned between."""
    rest = config.num_layers - 1
    # Dropout before each layer, and after the last.
    first = [config.dropout, 0.0 if rest else config.dropout]
    options = {"bidirectional": True, "name": "lower_stack"}
    stack = [layers.RNNStack(config.cell, config.units, dropout=first, **options)]
    if rest:
        options["name"] = "upper_stack"
        stack.append(
            layers.RNNStack(config.cell, config.units, rest, dropout=config.dropout, **options)
        )
    return stack


def _auxiliary(config, train):
    """Return the head for words and their parts of speech, or None."""
    words = train.targets["words"]
    if not (words and any(words[0])):
        return None
    return AuxiliaryTags(build_vocabulary(itertools.chain.from_iterable(words)), config.dropout)


def encode(model: SequenceTagger, examples: RawExamples) -> EncodedDataset:
    """Return sentences and tags as the model is trained with them."""
    tags, words = examples.targets["tags"], examples.targets["words"]
    targets = {"tags": tags, "auxiliary": words} if model.auxiliary else tags
    return model.encode(examples.inputs, targets)

"""The model: a sequence tagger over characters or words."""

import itertools

import keras

from keras_seq import InputError, layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.data.vectors import read_vectors
from keras_seq.models import AuxiliaryTags, SequenceTagger
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet
from keras_seq.text.vocabulary import frequent
from keras_seq.train.optimizers import adam_w

from .config import Config


def build(config: Config, train: RawExamples) -> SequenceTagger:
    """Return a tagger of the tokens and the labels of the training sentences."""
    sentences, tags = train.inputs, train.targets["tags"]
    is_characters = all(len(token) == 1 for token in itertools.chain.from_iterable(sentences))
    tokenizer = "char_nospace" if is_characters else "word"
    if config.tokenizer != "auto":
        tokenizer = config.tokenizer
    encoder = TextEncoder.from_examples(sentences, tokenizer, min_count=config.minimum_count)
    if not any(tag != "O" for tag in itertools.chain.from_iterable(tags)):
        raise InputError("No training sentence has an entity, so that there is nothing to learn.")
    model = SequenceTagger(
        encoder,
        TagSet.from_examples(tags, config.scheme),
        features=_features(config, encoder, sentences, is_characters),
        stack=_stack(config),
        crf=config.crf,
        auxiliary=_auxiliary(config, train),
    )
    if config.vectors:
        _start_from(model, config)
    weights = {"tags": 1.0, "auxiliary": config.word_tags} if model.auxiliary else None
    model.compile(adam_w(config.learning_rate, config.updates), loss_weights=weights)
    return model


def _features(config, encoder, sentences, is_characters):
    """Return the layers that read a token: its embedding, and pairs or letters."""
    if config.embedding is None:
        features = [layers.OneHotTokens(encoder.vocab_size)]
    else:
        features = [layers.TokenEmbedding(encoder, config.embedding)]
    if config.bigram_embedding and is_characters:
        pairs = itertools.chain.from_iterable(map(itertools.pairwise, sentences))
        pairs = frequent(pairs, config.minimum_pair_count)
        if pairs:
            ids = [encoder.encode(pair) for pair in pairs]
            pairs = layers.BigramEmbedding(ids, config.bigram_embedding)
            # All pairs of a step at once, so that the model does not rely on those it knows.
            drop = keras.layers.Dropout(config.bigram_dropout, noise_shape=(None, None, 1))
            features.append(keras.Sequential([pairs, drop], name="bigrams"))
    if config.letter_units and not is_characters:
        features.append(layers.CharEncoder(config.letter_units, config.cell))
    return features


def _stack(config):
    """Return the first recurrent layer and those above it, since word tags are learned between."""
    rest = config.layers - 1
    options = {"bidirectional": config.bidirectional, "recurrent_dropout": config.recurrent_dropout}
    # Dropout before each layer, and after the last.
    first = [config.dropout, 0.0 if rest else config.dropout]
    stack = [layers.RNNStack(config.cell, config.units, 1, dropout=first, **options)]
    if rest:
        stack.append(
            layers.RNNStack(config.cell, config.units, rest, dropout=config.dropout, **options)
        )
    return stack


def _auxiliary(config, train):
    """Return the head for words and their parts of speech, or None."""
    words = train.targets["words"]
    if not (config.word_tags and words and any(words[0])):
        return None
    return AuxiliaryTags(frequent(itertools.chain.from_iterable(words)), config.dropout)


def _start_from(model, config):
    """Start the embedding from the vectors of a file."""
    if model.token_embedding is None:
        raise InputError("--vectors needs an embedding; --embedding none feeds one-hot vectors.")
    vectors = read_vectors(config.vectors, set(model.encoder.vocabulary), config.encoding)
    model.token_embedding.load_pretrained_vectors(vectors)


def encode(model: SequenceTagger, examples: RawExamples) -> EncodedDataset:
    """Return sentences and tags as the model is trained with them."""
    tags, words = examples.targets["tags"], examples.targets["words"]
    targets = {"tags": tags, "auxiliary": words} if model.auxiliary else tags
    return model.encode(examples.inputs, targets)

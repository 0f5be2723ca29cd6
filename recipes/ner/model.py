"""The model: a sequence tagger over characters or words."""

import itertools

import keras

from keras_seq.data.vocabulary import frequent
from keras_seq.models import SequenceTagger
from keras_seq.training import warm_up_and_cosine


def build(config, train):
    """A tagger that knows the tokens and the labels of the training sentences."""
    sentences, tags = train.inputs, train.targets
    tokens = itertools.chain.from_iterable(sentences)
    characters = all(len(token) == 1 for token in itertools.chain.from_iterable(sentences))
    split = "characters" if characters else "words"
    letters = pairs = None
    if config.bigram_embedding and characters:
        pairs = itertools.chain.from_iterable(itertools.pairwise(s) for s in sentences)
        pairs = frequent(pairs, config.minimum_count)
    if config.letter_units and not characters:
        everything = itertools.chain.from_iterable(itertools.chain.from_iterable(sentences))
        letters = frequent(everything)
    labels = {tag[2:] for tag in itertools.chain.from_iterable(tags) if tag != "O"}
    model = SequenceTagger(
        frequent(tokens, config.minimum_count),
        sorted(labels),
        scheme=config.scheme,
        split=split if config.split == "auto" else config.split,
        letters=letters,
        bigrams=pairs or None,
        embedding=config.embedding,
        bigram_embedding=config.bigram_embedding,
        letter_units=config.letter_units,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        bidirectional=config.bidirectional,
        dropout=config.dropout,
        recurrent_dropout=config.recurrent_dropout,
        crf=config.crf,
    )
    if config.vectors:
        model.load_vectors(config.vectors)
    schedule = warm_up_and_cosine(config.learning_rate, config.updates)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0)
    model.compile(optimizer, metrics=[])
    return model


def arrays(model, examples):
    """Sentences and tags as the model is trained with them."""
    return model.encode(examples.inputs, examples.targets)

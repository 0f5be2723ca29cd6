"""The model: a sequence tagger over characters or words."""

import itertools

from keras_seq import InputError
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.losses import MaskedCrossentropy
from keras_seq.models import SequenceTagger
from keras_seq.text.vocabulary import frequent
from keras_seq.train.optimizers import adam_w

from .config import Config


def build(config: Config, train: RawExamples) -> SequenceTagger:
    """Return a tagger that knows the tokens and the labels of the training sentences."""
    sentences, tags = train.inputs, train.targets["tags"]
    words = _words(config, train)
    tokens = list(itertools.chain.from_iterable(sentences))
    characters = all(len(token) == 1 for token in tokens)
    split = "characters" if characters else "words"
    letters = pairs = None
    if config.bigram_embedding and characters:
        pairs = itertools.chain.from_iterable(itertools.pairwise(s) for s in sentences)
        pairs = frequent(pairs, config.minimum_pair_count)
    if config.letter_units and not characters:
        letters = frequent(itertools.chain.from_iterable(tokens))
    labels = {tag[2:] for tag in itertools.chain.from_iterable(tags) if tag != "O"}
    if not labels:
        raise InputError("No training sentence has an entity, so that there is nothing to learn.")
    model = SequenceTagger(
        frequent(tokens, config.minimum_count) or frequent(tokens),
        sorted(labels),
        scheme=config.scheme,
        split=split if config.tokenizer == "auto" else config.tokenizer,
        letters=letters,
        bigrams=pairs or None,
        embedding=config.embedding,
        bigram_embedding=config.bigram_embedding,
        bigram_dropout=config.bigram_dropout,
        letter_units=config.letter_units,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        bidirectional=config.bidirectional,
        dropout=config.dropout,
        recurrent_dropout=config.recurrent_dropout,
        crf=config.crf,
        auxiliary=words and frequent(itertools.chain.from_iterable(words)),
    )
    if config.vectors:
        model.load_vectors(config.vectors, config.encoding)
    optimizer = adam_w(config.learning_rate, config.updates)
    if words is None:
        model.compile(optimizer, loss=model.crf.loss)
        return model
    model.compile(
        optimizer,
        loss={
            "tags": model.crf.loss,
            "auxiliary": MaskedCrossentropy(),
        },
        loss_weights={"tags": 1.0, "auxiliary": config.word_tags},
    )
    return model


def _words(config, train):
    """The word tags to learn beside, or None."""
    words = train.targets["words"]
    return words if config.word_tags and words and any(words[0]) else None


def encode(model: SequenceTagger, examples: RawExamples) -> EncodedDataset:
    """Return sentences and tags as the model is trained with them."""
    words = examples.targets["words"] if isinstance(model.output, dict) else None
    return model.encode(examples.inputs, examples.targets["tags"], words)

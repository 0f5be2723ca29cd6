"""The model: a CTC recognizer over the letters of the training texts."""

from keras_seq._internal.errors import InputError
from keras_seq.models import CTCRecognizer
from keras_seq.train.loop import muon

ENOUGH = 500
"""Recordings by which the bands of the spectrogram are made even."""


def build(config, train):
    """A recognizer that writes the letters of the training texts."""
    alphabet = config.alphabet or "".join(sorted(set("".join(train.targets))))
    if not alphabet:
        raise InputError("No training recording has a text, so that there is nothing to learn.")
    model = CTCRecognizer(
        alphabet,
        lexicon=_words(train.targets, alphabet) if config.lexicon else None,
        sample_rate=config.sample_rate,
        bands=config.bands,
        stack=config.stack,
        polyphase=config.polyphase,
        noise=config.noise,
        warp=config.warp,
        masks=config.masks,
        centred=config.bidirectional,
        filters=config.filters,
        cell=config.cell,
        units=config.units,
        depth=config.layers,
        bidirectional=config.bidirectional,
        dropout=config.dropout,
        recurrent_dropout=config.recurrent_dropout,
        normalization=config.normalization,
    )
    model.adapt(train.inputs[:ENOUGH])
    optimizer = muon(config.learning_rate, config.updates, config.weight_decay, output="letters")
    model.compile(optimizer, loss=model.loss_of_texts)
    return model


def _words(texts, alphabet):
    """The words of texts that the alphabet has all letters of."""
    return sorted(word for word in {*" ".join(texts).split()} if {*word} <= {*alphabet})


def arrays(model, examples):
    """Recordings and texts as the model is trained on them."""
    return model.encode(examples.inputs, examples.targets, padded=False)

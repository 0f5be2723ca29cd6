"""The model: letters to phonemes, by attention."""

import dataclasses
import itertools

from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text.tokenizers import SPLITTERS
from keras_seq.text.vocabulary import frequent
from keras_seq.train.optimizers import adam_w

from .config import Config


def build(config: Config, train: RawExamples) -> Seq2Seq:
    """Return a model that knows the letters and the phonemes of the training words."""
    ways = list(itertools.chain.from_iterable(train.targets))
    # Phonemes that nothing stands between are characters.
    target_split = "spaced" if any(" " in sounds for sounds in ways) else "text"
    split = SPLITTERS[target_split]
    model = Seq2Seq(
        frequent(itertools.chain.from_iterable(train.inputs)),
        frequent(token for sounds in ways for token, _, _ in split(sounds)),
        split="text",
        target_split=target_split,
        lower=True,
        length_penalty=0.0,
        **config.architecture,
    )
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    model.compile(optimizer, loss=model.loss_of_tokens)
    return model


def encode(model: Seq2Seq, examples: RawExamples) -> EncodedDataset:
    """Return words as the model is trained on them: one example for each way to say a word."""
    pairs = [
        (word, model.target_tokens(sounds))
        for word, ways in zip(examples.inputs, examples.targets)
        for sounds in ways
    ]
    # Words are short: a step more counts.
    encoded = model.encode(*zip(*pairs))
    return dataclasses.replace(encoded, min_length=4, buckets_per_octave=4)

"""The model: letters to phonemes, by attention."""

import dataclasses
import itertools

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.train.optimizers import adam_w

from .config import Config

EMBEDDING_DIM = 64
"""Width of the embeddings of letters and phonemes."""
NGRAM_SIZE = 4
"""Length of the longest n-gram of letters that has vectors of its own."""


def build(config: Config, train: RawExamples) -> Seq2Seq:
    """Return a model that knows the letters and the phonemes of the training words."""
    ways = list(itertools.chain.from_iterable(train.targets))
    # Phonemes that nothing stands between are characters.
    tokenizer = "whitespace" if any(" " in sounds for sounds in ways) else "char"
    source = TextEncoder.from_examples(train.inputs, "char", lowercase=True, end=True)
    target = TextEncoder.from_examples(ways, tokenizer, end=True)
    stack = layers.RNNStack(
        config.cell,
        config.units,
        config.num_layers,
        bidirectional=True,
        dropout=config.dropout,
        variational_dropout=True,
        return_state=True,
        name="stack",
    )
    decoder = layers.Decoder(
        layers.TokenEmbedding(target, EMBEDDING_DIM),
        config.cell,
        config.units,
        attention=config.attention,
        dropout=config.dropout,
        name="decoder",
    )
    model = Seq2Seq(
        source,
        target,
        features=[layers.TokenEmbedding(source, EMBEDDING_DIM), layers.NgramFeatures(NGRAM_SIZE)],
        stack=stack,
        decoder=decoder,
        length_penalty=0.0,
    )
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def encode(model: Seq2Seq, examples: RawExamples) -> EncodedDataset:
    """Return words as the model is trained on them: one example for each way to say a word."""
    pairs = [
        (word, sounds) for word, ways in zip(examples.inputs, examples.targets) for sounds in ways
    ]
    # Words are short: a step more counts.
    encoded = model.encode(*zip(*pairs))
    return dataclasses.replace(encoded, min_length=4, buckets_per_octave=4)

"""Model of the recipe: a `Seq2Seq` from letters to phonemes, with attention."""

import dataclasses
import itertools

from keras_seq import InputError, layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.text.merging import merge_encoders
from keras_seq.train.optimizers import adam_w

from .config import Config

EMBEDDING_DIM = 64
"""Size of the letter and phoneme embeddings."""
NGRAM_SIZE = 4
"""Length of the longest letter n-gram with an embedding."""


def build(config: Config, train: RawExamples, initial: Seq2Seq | None = None) -> Seq2Seq:
    """Return a compiled model for the letters and phonemes of the training words.

    Args:
        config: Config of the run.
        train: Training words.
        initial: Trained model whose letters and phonemes the model keeps, or None.
    """
    pronunciations = list(itertools.chain.from_iterable(train.targets))
    # Without spaces between phonemes, each character is a phoneme.
    tokenizer = "whitespace" if any(" " in text for text in pronunciations) else "char"
    source = TextEncoder.from_examples(train.inputs, "char", lowercase=True, end=True)
    target = TextEncoder.from_examples(pronunciations, tokenizer, end=True)
    if initial is not None:
        source = merge_encoders(initial.source_encoder, source)
        target = merge_encoders(initial.target_encoder, target)
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
        count_model=_count_pairs(config, source, target, train),
        length_penalty=0.0,
    )
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def _count_pairs(
    config: Config, source: TextEncoder, target: TextEncoder, train: RawExamples
) -> layers.JointNgramModel | None:
    """Return a joint n-gram model of the training words, or None if most cannot be aligned."""
    if not config.joint_order:
        return None
    words, pronunciations = zip(*_pairs(train))
    count_model = layers.JointNgramModel(
        source.vocab_size,
        target.vocab_size,
        config.joint_order,
        end_id=target.end_id,
        name="joint_ngrams",
    )
    try:
        count_model.adapt(
            [source.encode(word) for word in words],
            [target.encode(pronunciation) for pronunciation in pronunciations],
        )
    except InputError:  # such as one character with many phonemes
        return None
    return count_model


def _pairs(examples: RawExamples) -> list[tuple[str, str]]:
    """Return each word with each of its pronunciations."""
    return [
        (word, pronunciation)
        for word, pronunciations in zip(examples.inputs, examples.targets)
        for pronunciation in pronunciations
    ]


def encode(model: Seq2Seq, examples: RawExamples) -> EncodedDataset:
    """Return words as arrays to train on, with one example for each pronunciation."""
    # Narrow buckets, since padding is a large part of short sequences.
    encoded = model.encode(*zip(*_pairs(examples)))
    return dataclasses.replace(encoded, min_length=4, buckets_per_octave=4)


def calibrate(model: Seq2Seq, examples: RawExamples) -> None:
    """Fit the weights of network and joint n-gram model to validation words."""
    if model.count_model is not None:
        model.fit_interpolation(examples.inputs, examples.targets, batch_size=256)

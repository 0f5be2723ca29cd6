"""Tiny, untrained model of each kind."""

import keras

from keras_seq import layers
from keras_seq.models import (
    CTCRecognizer,
    Seq2Seq,
    SequenceClassifier,
    SequenceGenerator,
    SequenceTagger,
)
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tags import TagSet

WORDS = ["Ada", "met", "Grace", "."]


def tagger():
    encoder = TextEncoder(WORDS)
    return SequenceTagger(
        encoder,
        TagSet(["PER"]),
        features=[layers.TokenEmbedding(encoder, 4), layers.CharEncoder(2)],
        stack=layers.RNNStack("LSTM", 4, bidirectional=True, name="stack"),
    )


def classifier(return_sequences=True):
    encoder = TextEncoder(WORDS)
    stack = layers.RNNStack(
        "LSTM", 4, bidirectional=True, return_sequences=return_sequences, name="stack"
    )
    features = [layers.TokenEmbedding(encoder, 4)]
    return SequenceClassifier(encoder, ["bad", "good"], features=features, stack=stack)


def generator(styles=None, tokenizer="char", vocabulary="abc"):
    encoder = TextEncoder(vocabulary, tokenizer, end=True)
    embedding = layers.TokenEmbedding(encoder, 4)
    stack = layers.RNNStack("LSTM", 4, return_state=True, name="stack")
    return SequenceGenerator(encoder, styles=styles, embedding=embedding, stack=stack)


def seq2seq(
    source="abc",
    target=("x", "y"),
    *,
    tokenizers=("char_nospace", "word"),
    embedding=4,
    cell="LSTM",
    units=4,
    num_layers=1,
    bidirectional=True,
    recurrent_dropout=0.0,
    features=(),
    label_smoothing=0.0,
    **options,
):
    """Return a model without dropout.

    Args:
        source: Source vocabulary.
        target: Target vocabulary.
        tokenizers: Tokenizers of source and target.
        embedding: Width of the embeddings; 0 for one-hot vectors.
        cell: Cell of both networks.
        units: Number of units of both networks.
        num_layers: Number of layers of both networks.
        bidirectional: Whether the encoder is bidirectional.
        recurrent_dropout: Recurrent dropout of both networks.
        features: Further feature layers.
        label_smoothing: As in `Seq2Seq`.
        **options: Arguments of `Decoder`.
    """
    encoders = [TextEncoder(*pair, end=True) for pair in zip((source, target), tokenizers)]
    embeddings = [
        layers.TokenEmbedding(encoder, embedding)
        if embedding
        else layers.OneHotTokens(encoder.vocab_size)
        for encoder in encoders
    ]
    stack = layers.RNNStack(
        cell,
        units,
        num_layers,
        bidirectional=bidirectional,
        recurrent_dropout=recurrent_dropout,
        return_state=True,
        name="stack",
    )
    options = {"dropout": 0.0, "recurrent_dropout": recurrent_dropout, **options}
    return Seq2Seq(
        *encoders,
        features=[embeddings[0], *features],
        stack=stack,
        decoder=layers.Decoder(embeddings[1], cell, units, num_layers, name="decoder", **options),
        label_smoothing=label_smoothing,
    )


def recognizer():
    front_end = layers.FrontEnd(
        layers.LogMelSpectrogram(4_000, frame_length=100, frame_step=40, num_mel_bins=12)
    )
    return CTCRecognizer("ab ", front_end, stack=layers.RNNStack("LSTM", 4, bidirectional=True))


def rows():
    inputs = keras.Input((28, 28))
    return keras.Model(inputs, keras.layers.Dense(10)(layers.GRU(4, name="gru")(inputs)))


def tiny_application(include_top, weights, input_shape=(8, 8, 3), pooling=None, name="tiny"):
    """Return a stand-in for a model of `keras.applications`."""
    if weights == "offline":
        raise Exception("URL fetch failure")
    frame = keras.Input(input_shape)
    start = 3.0 if weights == "imagenet" else 0.0
    options = {"kernel_initializer": keras.initializers.Constant(start), "use_bias": False}
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 1, **options)(frame))
    return keras.Model(frame, x, name=name)

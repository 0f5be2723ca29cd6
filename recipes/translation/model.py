"""The model: sentences to sentences, by attention."""

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.train.optimizers import adam_w

from .config import Config
from .data import fitting

LONGEST = 100
"""Tokens, on either side, of the longest pair that is trained on."""

TOKENIZERS = {"subwords": "wordpiece", "words": "word_metaspace", "characters": "char"}
"""How a text becomes tokens, see `keras_seq.text.TextEncoder`."""


def build(config: Config, train: RawExamples) -> Seq2Seq:
    """Return a model that knows the tokens of the training pairs."""
    source, target = (_encoder(texts, config) for texts in (train.inputs, train.targets))
    model = Seq2Seq(
        source,
        target,
        features=_features(config, source),
        stack=_stack(config),
        decoder=_decoder(config, target),
        label_smoothing=config.label_smoothing,
    )
    model.compile(adam_w(config.learning_rate, config.updates, config.weight_decay))
    return model


def _encoder(texts, config):
    """Return the encoder of one language."""
    return TextEncoder.from_examples(
        texts,
        TOKENIZERS[config.tokens],
        min_count=config.minimum_count,
        max_size=config.subwords if config.tokens == "subwords" else None,
        end=True,
    )


def _embedding(config, encoder):
    """Return the layer that reads tokens: an embedding, or one-hot vectors."""
    if config.embedding is None:
        return layers.OneHotTokens(encoder.vocab_size)
    return layers.TokenEmbedding(encoder, config.embedding)


def _features(config, encoder):
    """Return the layers that read the source."""
    features = [_embedding(config, encoder)]
    return [*features, layers.NgramFeatures(config.ngrams)] if config.ngrams else features


def _stack(config):
    """Return the recurrent layers that read the source."""
    return layers.RNNStack(
        config.cell,
        config.units,
        config.layers,
        bidirectional=True,
        dropout=config.dropout,
        recurrent_dropout=config.recurrent_dropout,
        variational_dropout=True,
        return_state=True,
        name="stack",
    )


def _decoder(config, encoder):
    """Return the half of the model that writes."""
    sampling = None
    if config.scheduled_sampling:
        steps = max(1, config.updates // 2)
        sampling = layers.ScheduledSampling(config.scheduled_sampling, ramp_steps=steps)
    return layers.Decoder(
        _embedding(config, encoder),
        config.cell,
        config.units,
        config.decoder_layers,
        attention=config.attention,
        input_feeding=config.input_feeding,
        tie_embeddings=config.tied,
        dropout=config.dropout,
        recurrent_dropout=config.recurrent_dropout,
        sampling=sampling,
        name="decoder",
    )


def encode(model: Seq2Seq, examples: RawExamples) -> EncodedDataset:
    """Return pairs as the model is trained on them."""
    read, write = model.source_encoder.tokenize, model.target_encoder.tokenize
    pairs = [(read(text), write(said)) for text, said in zip(examples.inputs, examples.targets)]
    return model.encode(*zip(*fitting(pairs, LONGEST)))

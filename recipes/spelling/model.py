"""The model: letters to phonemes, by attention."""

import dataclasses
import itertools

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.train.optimizers import adam_w

from .config import Config


def build(config: Config, train: RawExamples) -> Seq2Seq:
    """Return a model that knows the letters and the phonemes of the training words."""
    ways = list(itertools.chain.from_iterable(train.targets))
    # Phonemes that nothing stands between are characters.
    tokenizer = "whitespace" if any(" " in sounds for sounds in ways) else "char"
    source = TextEncoder.from_examples(train.inputs, "char", lowercase=True, end=True)
    target = TextEncoder.from_examples(ways, tokenizer, end=True)
    model = Seq2Seq(
        source,
        target,
        features=_features(config, source),
        stack=_stack(config),
        decoder=_decoder(config, target),
        length_penalty=0.0,
        label_smoothing=config.label_smoothing,
    )
    model.compile(adam_w(config.learning_rate, config.updates, config.weight_decay))
    return model


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
    """Return words as the model is trained on them: one example for each way to say a word."""
    pairs = [
        (word, sounds) for word, ways in zip(examples.inputs, examples.targets) for sounds in ways
    ]
    # Words are short: a step more counts.
    encoded = model.encode(*zip(*pairs))
    return dataclasses.replace(encoded, min_length=4, buckets_per_octave=4)

"""The model: a sequence generator that knows styles."""

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.train.optimizers import adam_w

from .config import Config

LONGEST = 384
"""Steps that gradients reach back at most."""

MAX_STYLE_NGRAM = 3
"""Events of the longest run that has a vector for each style."""


def build(config: Config, train: RawExamples) -> SequenceGenerator:
    """Return a generator that knows the events and the styles of the training tunes."""
    encoder = TextEncoder.from_examples(
        train.inputs, "whitespace", min_count=config.minimum_count, end=True
    )
    embedding: layers.TokenEmbedding | layers.OneHotTokens
    embedding = layers.OneHotTokens(encoder.vocab_size)
    if config.embedding:
        embedding = layers.TokenEmbedding(encoder, config.embedding)
    features: list[layers.IncrementalLayer] = []
    if config.ngrams:
        features.append(
            layers.CausalNgramFeatures(
                config.ngrams,
                dropout=config.ngram_dropout,
                max_style_n=min(MAX_STYLE_NGRAM, config.ngrams),
                name="ngrams",
            )
        )
    if config.recall:
        features.append(layers.Recall(encoder.vocab_size, config.recall, name="recall"))
    model = SequenceGenerator(
        encoder,
        styles=sorted(set(train.targets)),
        embedding=embedding,
        stack=layers.RNNStack(
            config.cell,
            config.units,
            config.layers,
            dropout=config.dropout,
            variational_dropout=True,
            return_state=True,
            name="stack",
        ),
        features=features,
        style_embedding_dim=config.style_embedding,
    )
    model.compile(adam_w(config.learning_rate, config.updates, config.weight_decay))
    return model


def encode(model: SequenceGenerator, examples: RawExamples) -> EncodedDataset:
    """Return tunes as the model is trained on them."""
    return model.encode(examples.inputs, examples.targets, longest=LONGEST)

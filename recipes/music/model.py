"""The model: a sequence generator that knows styles."""

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.train.optimizers import adam_w

from .config import Config

EMBEDDING_DIM, STYLE_DIM, MATCH_DIM = 128, 16, 32
"""Widths of the embeddings of an event and of a style, and of what followed the longest match."""
MIN_COUNT = 2
"""Number of training occurrences from which an event is known."""
LONGEST = 384
"""Steps that gradients reach back at most."""
NGRAM_SIZE, STYLE_NGRAM_SIZE = 5, 3
"""Events of the longest n-gram with a vector of its own, and with one for each style."""


def build(config: Config, train: RawExamples) -> SequenceGenerator:
    """Return a generator that knows the events and the styles of the training tunes."""
    encoder = TextEncoder.from_examples(train.inputs, "whitespace", min_count=MIN_COUNT, end=True)
    ngrams = layers.CausalNgramFeatures(
        NGRAM_SIZE,
        dropout=config.ngram_dropout,
        max_style_n=STYLE_NGRAM_SIZE,
        name="ngrams",
    )
    model = SequenceGenerator(
        encoder,
        styles=sorted(set(train.targets)),
        embedding=layers.TokenEmbedding(encoder, EMBEDDING_DIM),
        stack=layers.RNNStack(
            config.cell,
            config.units,
            config.num_layers,
            dropout=config.dropout,
            variational_dropout=True,
            return_state=True,
            name="stack",
        ),
        features=[
            ngrams,
            layers.LongestMatchEmbedding(encoder.vocab_size, MATCH_DIM, name="longest_match"),
        ],
        style_embedding_dim=STYLE_DIM,
    )
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def encode(model: SequenceGenerator, examples: RawExamples) -> EncodedDataset:
    """Return tunes as the model is trained on them."""
    return model.encode(examples.inputs, examples.targets, max_length=LONGEST)

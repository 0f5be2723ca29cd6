"""Model of the recipe: a `SequenceGenerator` with styles."""

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.merging import merge_encoders, merge_names
from keras_seq.train.optimizers import adam_w

from .config import Config

EMBEDDING_DIM, STYLE_DIM, MATCH_DIM = 128, 16, 32
"""Sizes of the embeddings of an event, of a style, and of the event after the longest match."""
MIN_COUNT = 2
"""Minimum number of training occurrences of an event in the vocabulary."""
MAX_LENGTH = 384
"""Maximum number of time steps of backpropagation through time."""
NGRAM_SIZE, STYLE_NGRAM_SIZE = 5, 3
"""Length of the longest event n-gram with an embedding, and with an embedding per style."""


def build(
    config: Config, train: RawExamples, initial: SequenceGenerator | None = None
) -> SequenceGenerator:
    """Return a compiled generator for the events and styles of the training tunes.

    Args:
        config: Config of the run.
        train: Training tunes.
        initial: Trained model whose events and styles the model keeps, or None.
    """
    encoder = TextEncoder.from_examples(train.inputs, "whitespace", min_count=MIN_COUNT, end=True)
    styles = sorted(set(train.targets))
    if initial is not None:
        encoder = merge_encoders(initial.encoder, encoder)
        styles = merge_names(initial.styles or (), styles)
    ngrams = layers.CausalNgramFeatures(
        NGRAM_SIZE,
        dropout=config.ngram_dropout,
        max_style_n=STYLE_NGRAM_SIZE,
        name="ngrams",
    )
    model = SequenceGenerator(
        encoder,
        styles=styles,
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
    """Return tunes as arrays to train on."""
    return model.encode(examples.inputs, examples.targets, max_length=MAX_LENGTH)

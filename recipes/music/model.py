"""Model of the recipe: a `SequenceGenerator` with styles."""

from collections.abc import Sequence

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.merging import merge_encoders, merge_names
from keras_seq.train.optimizers import adam_w

from . import tunes
from .config import Config

EMBEDDING_DIM, STYLE_DIM, MATCH_DIM, BAR_DIM = 128, 16, 32, 32
"""Sizes of the embeddings of an event, of a style, of the event after the longest match, and of
bars."""
TICKS = 48
"""Units of time per quarter. Lengths are rounded to them."""
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
    bars = bar_arguments(encoder.tokens)
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
            layers.BarPositionEmbedding(*bars, BAR_DIM, name="bar_position"),
            layers.EarlierBarsEmbedding(*bars, BAR_DIM, name="earlier_bars"),
        ],
        style_embedding_dim=STYLE_DIM,
    )
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def bar_arguments(tokens: Sequence[str]) -> tuple[list[list[int]], list[int], dict[int, int]]:
    """Return durations, ends of bars and lengths of bars, as in `BarPositionEmbedding`.

    Args:
        tokens: Tokens in the order of their ids.
    """
    voices = [*tunes.VOICES] if tunes.has_voices([*filter(tunes.is_event, tokens)]) else [""]
    durations = [
        [
            round(tunes.parse_length(token) * TICKS)
            if tunes.is_event(token) and token.startswith(voice)
            else 0
            for token in tokens
        ]
        for voice in voices
    ]
    bar_ends = [id_ for id_, token in enumerate(tokens) if token in tunes.BAR_ENDS]
    bar_lengths = {
        id_: round(tunes.parse_head([token]).bar_length * TICKS)
        for id_, token in enumerate(tokens)
        if token.startswith("M:")
    }
    return durations, bar_ends, bar_lengths


def encode(model: SequenceGenerator, examples: RawExamples) -> EncodedDataset:
    """Return tunes as arrays to train on."""
    return model.encode(examples.inputs, examples.targets, max_length=MAX_LENGTH)

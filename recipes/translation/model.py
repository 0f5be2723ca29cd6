"""Model of the recipe: a `Seq2Seq` from sentences to sentences, with attention."""

from collections.abc import Iterable

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.text.merging import merge_encoders
from keras_seq.train.optimizers import adam_w

from .config import Config
from .data import drop_long_pairs

MAX_LENGTH = 100
"""Maximum number of tokens of either side of a training pair."""

MIN_COUNT = 2
"""Minimum number of training occurrences of a character or word in the vocabulary."""
LABEL_SMOOTHING = 0.1
"""Label smoothing of the loss, 0 to 1."""


def build(config: Config, train: RawExamples, initial: Seq2Seq | None = None) -> Seq2Seq:
    """Return a compiled model for the tokens of the training pairs.

    Args:
        config: Config of the run.
        train: Training pairs.
        initial: Trained model whose tokens the model keeps, or None.
    """
    source, target = (_encoder(texts, config) for texts in (train.inputs, train.targets))
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
        layers.TokenEmbedding(target, config.embedding_dim),
        config.cell,
        config.units,
        attention=config.attention,
        tie_embeddings=True,
        dropout=config.dropout,
        name="decoder",
    )
    model = Seq2Seq(
        source,
        target,
        features=[layers.TokenEmbedding(source, config.embedding_dim)],
        stack=stack,
        decoder=decoder,
        label_smoothing=LABEL_SMOOTHING,
    )
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def _encoder(texts: Iterable[str], config: Config) -> TextEncoder:
    """Return the text encoder of one language."""
    return TextEncoder.from_examples(
        texts,
        config.tokenizer,
        min_count=MIN_COUNT,
        max_size=config.vocab_size if config.tokenizer == "wordpiece" else None,
        end=True,
    )


def encode(model: Seq2Seq, examples: RawExamples) -> EncodedDataset:
    """Return pairs as arrays to train on, without pairs longer than `MAX_LENGTH`."""
    pairs = [
        (model.source_encoder.tokenize(text), model.target_encoder.tokenize(translation))
        for text, translation in zip(examples.inputs, examples.targets)
    ]
    return model.encode(*zip(*drop_long_pairs(pairs, MAX_LENGTH)))

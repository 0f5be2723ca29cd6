"""Model of the recipe: a `SequenceGenerator` over characters, words or subwords."""

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import SequenceGenerator
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.merging import merge_encoders
from keras_seq.text.vocabulary import END
from keras_seq.train.optimizers import adam_w

from .config import Config

MIN_COUNT = 2
"""Minimum number of training occurrences of a character or word in the vocabulary."""
MAX_LENGTH = 512
"""Maximum number of time steps of backpropagation through time."""


def build(
    config: Config, train: RawExamples, initial: SequenceGenerator | None = None
) -> SequenceGenerator:
    """Return a compiled generator over the tokens of the training paragraphs.

    Args:
        config: Config of the run.
        train: Training paragraphs.
        initial: Trained model whose tokens the model keeps, or None.
    """
    is_subwords = config.tokenizer == "wordpiece"
    encoder = TextEncoder.from_examples(
        train.inputs,
        config.tokenizer,
        min_count=1 if is_subwords else MIN_COUNT,
        max_size=config.vocab_size if is_subwords else None,
        end=True,
    )
    if initial is not None:
        encoder = merge_encoders(initial.encoder, encoder)
    features: list[layers.IncrementalLayer] = []
    if config.ngram_size:
        features.append(
            layers.CausalNgramFeatures(
                config.ngram_size, dropout=config.ngram_dropout, name="ngrams"
            )
        )
    if config.match_dim:
        features.append(
            layers.LongestMatchEmbedding(encoder.vocab_size, config.match_dim, name="longest_match")
        )
    count_model = None
    if config.kneser_ney_order:
        count_model = layers.KneserNey(
            encoder.vocab_size, config.kneser_ney_order, name="kneser_ney"
        )
        count_model.adapt(
            encoder.encode([END, *encoder.tokenize(text), END]) for text in train.inputs
        )
    model = SequenceGenerator(
        encoder,
        embedding=layers.TokenEmbedding(encoder, config.embedding_dim),
        stack=layers.RNNStack(
            config.cell,
            config.units,
            config.num_layers,
            dropout=config.dropout,
            variational_dropout=True,
            return_state=True,
            name="stack",
        ),
        features=features,
        count_model=count_model,
        tie_embeddings=config.tie_embeddings,
    )
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def encode(model: SequenceGenerator, examples: RawExamples) -> EncodedDataset:
    """Return paragraphs as arrays to train on."""
    return model.encode(examples.inputs, max_length=MAX_LENGTH)


def calibrate(model: SequenceGenerator, examples: RawExamples) -> None:
    """Fit the weights of the Kneser-Ney model, if there is one, to validation paragraphs."""
    if model.count_model is not None:
        model.fit_interpolation(examples.inputs)

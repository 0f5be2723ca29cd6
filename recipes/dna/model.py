"""Model of the recipe: a `SequenceClassifier` over bases."""

from keras_seq import InputError, layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.layers.text.token_embedding import vector_table
from keras_seq.models import SequenceClassifier
from keras_seq.text.encoder import TextEncoder
from keras_seq.train.optimizers import adam_w

from .bases import base_probabilities
from .config import Config

MAX_WINDOW = 200
"""Maximum number of bases around the middle that the weight array model reads."""


def build(config: Config, train: RawExamples) -> SequenceClassifier:
    """Return a compiled classifier for the labels of the training sequences."""
    labels = sorted(set(train.targets["labels"]))
    if len(labels) < 2:
        raise InputError(
            f"All training sequences have the label {labels[0]!r}; a classifier needs two or more."
        )
    probabilities = base_probabilities()
    letters = [letter for letter in probabilities if len(letter) == 1]
    encoder = TextEncoder(letters, "char", lowercase=True)
    convolution = None
    if config.conv_filters:
        convolution = layers.MaskedConv1D(config.conv_filters, config.kernel_size, config.strides)
    stack = layers.RNNStack(
        config.cell,
        config.units,
        num_layers=config.num_layers,
        bidirectional=True,
        dropout=[config.dropout] * config.num_layers + [0.0],
        return_sequences=config.pooling != "last",
        name="stack",
    )
    poolings = {
        "attention": lambda: layers.AttentionPooling(config.units, name="pooling"),
        "last": lambda: None,
        "max": layers.MaxPooling,
        "middle": layers.MiddlePooling,
    }
    experts = []
    # Without pooling in the middle, positions are not aligned between sequences.
    if config.kmer and config.pooling == "middle":
        window = max(config.kmer, min(max(map(len, train.inputs)), MAX_WINDOW))
        table = vector_table(encoder, probabilities)
        experts.append(layers.WeightArrayExpert(table, len(labels), config.kmer, window))
    model = SequenceClassifier(
        encoder,
        labels,
        features=[layers.TokenEmbedding(encoder, vectors=probabilities, trainable=False)],
        convolution=convolution,
        stack=stack,
        pooling=poolings[config.pooling](),
        experts=experts,
        mixture="mean",
        dropout=config.dropout,
        word_dropout=config.base_dropout,
    )
    if experts:
        model.adapt_experts(train.inputs, train.targets["labels"])
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def encode(model: SequenceClassifier, examples: RawExamples) -> EncodedDataset:
    """Return sequences and labels as arrays."""
    return model.encode(examples.inputs, examples.targets["labels"])

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

MIN_COUNT = 2
"""Number of training occurrences from which a token is known, if tokens are not subwords."""
LABEL_SMOOTHING = 0.1
"""Fraction of the probability that the loss spreads over all tokens."""


def build(config: Config, train: RawExamples) -> Seq2Seq:
    """Return a model that knows the tokens of the training pairs."""
    source, target = (_encoder(texts, config) for texts in (train.inputs, train.targets))
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


def _encoder(texts, config):
    """Return the encoder of one language."""
    return TextEncoder.from_examples(
        texts,
        config.tokenizer,
        min_count=MIN_COUNT,
        max_size=config.vocab_size if config.tokenizer == "wordpiece" else None,
        end=True,
    )


def encode(model: Seq2Seq, examples: RawExamples) -> EncodedDataset:
    """Return pairs as the model is trained on them."""
    read, write = model.source_encoder.tokenize, model.target_encoder.tokenize
    pairs = [(read(text), write(said)) for text, said in zip(examples.inputs, examples.targets)]
    return model.encode(*zip(*fitting(pairs, LONGEST)))

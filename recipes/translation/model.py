"""The model: sentences to sentences, by attention."""

import itertools

from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text.subwords import learn_pieces
from keras_seq.text.tokenizers import SPLITTERS
from keras_seq.text.vocabulary import frequent
from keras_seq.train.optimizers import adam_w

from .config import Config
from .data import fitting

LONGEST = 100
"""Tokens, on either side, of the longest pair that is trained on."""

SPLITS = {"subwords": "pieces", "words": "marked", "characters": "text"}
"""How a text becomes tokens, see `keras_seq.models.Seq2Seq`."""


def build(config: Config, train: RawExamples) -> Seq2Seq:
    """Return a model that knows the tokens of the training pairs."""
    vocabularies = [_vocabulary(texts, config) for texts in (train.inputs, train.targets)]
    model = Seq2Seq(
        *vocabularies,
        split=SPLITS[config.tokens],
        target_split=SPLITS[config.tokens],
        **config.architecture,
    )
    optimizer = adam_w(config.learning_rate, config.updates, config.weight_decay)
    model.compile(optimizer, loss=model.loss_of_tokens)
    return model


def _vocabulary(texts, config):
    if config.tokens == "subwords":
        return learn_pieces(texts, config.subwords)
    split = SPLITTERS[SPLITS[config.tokens]]
    tokens = list(itertools.chain.from_iterable(split(text) for text in texts))
    tokens = [token for token, _, _ in tokens]
    return frequent(tokens, config.minimum_count) or frequent(tokens)


def encode(model: Seq2Seq, examples: RawExamples) -> EncodedDataset:
    """Return pairs as the model is trained on them."""
    pairs = [
        (model.tokens_of(text), model.target_tokens(said))
        for text, said in zip(examples.inputs, examples.targets)
    ]
    return model.encode(*zip(*fitting(pairs, LONGEST)))

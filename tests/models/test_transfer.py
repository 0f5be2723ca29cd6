"""Transfer of trained weights between text models."""

import numpy as np
import pytest
from helpers import to_numpy

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.models import SequenceClassifier, SequenceGenerator
from keras_seq.text.encoder import TextEncoder


def language_model(words, width=5):
    encoder = TextEncoder(words, end=True)
    embedding = layers.OneHotTokens(encoder.vocab_size)
    if width:
        embedding = layers.TokenEmbedding(encoder, width)
    stack = layers.RNNStack("LSTM", 3, return_state=True)
    return SequenceGenerator(encoder, embedding=embedding, stack=stack)


def classifier(words, bidirectional=True, units=3, features=None):
    encoder = TextEncoder(words)
    pairs = layers.BigramEmbedding([[2, 3]], 2)
    return SequenceClassifier(
        encoder,
        ["no", "yes"],
        features=features or [layers.TokenEmbedding(encoder, 5), pairs],
        stack=layers.RNNStack("LSTM", units, bidirectional=bidirectional),
    )


def weights(model):
    return [to_numpy(weight) for weight in model.first_recurrent.cell.weights]


def vectors(model, tokens):
    table = to_numpy(model.token_embedding.embeddings)
    return np.array([table[model.encoder.tokens.index(token)] for token in tokens])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_copies_the_weights_of_a_language_model(bidirectional):
    source = language_model(["a", "b", "c"])
    target = classifier(["z", "b", "a"], bidirectional)
    unknown, kernel = vectors(target, "z"), weights(target)[0]
    assert str(target.transfer_from(source)) == "3 weights copied, 1 by name (2 of 3 tokens)"
    np.testing.assert_array_equal(vectors(target, "ab"), vectors(source, "ab"))
    np.testing.assert_array_equal(vectors(target, "z"), unknown)
    actual, expected = weights(target), weights(source)
    np.testing.assert_array_equal(actual[0][:5], expected[0])
    np.testing.assert_array_equal(actual[0][5:], kernel[5:])
    for ours, theirs in zip(actual[1:], expected[1:]):
        np.testing.assert_array_equal(ours, theirs)


def test_copies_only_the_embedding_if_the_cells_differ():
    source = language_model(["a"])
    target = classifier(["a"], units=4)
    before = weights(target)
    assert str(target.transfer_from(source)) == "0 weights copied, 1 by name (1 of 1 tokens)"
    np.testing.assert_array_equal(vectors(target, "a"), vectors(source, "a"))
    for weight, old in zip(weights(target), before):
        np.testing.assert_array_equal(weight, old)


def test_bad_models():
    target = classifier(["a"])
    for arguments, message in (
        ({"words": ["b"]}, "has none of the tokens of"),
        ({"width": None}, "has no trainable TokenEmbedding"),
        ({"width": 7}, "vectors have 7 numbers, but the embedding has 5"),
    ):
        source = language_model(**{"words": ["a"], **arguments})
        with pytest.raises(InputError, match=message):
            target.transfer_from(source)
    source = language_model(["a"])
    fixed = layers.TokenEmbedding(target.encoder, vectors={"a": [1.0]}, trainable=False)
    with pytest.raises(InputError, match="sequence_classifier has no trainable"):
        classifier(["a"], features=[fixed]).transfer_from(source)

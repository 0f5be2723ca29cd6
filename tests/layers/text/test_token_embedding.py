"""Token embeddings: learned, pretrained and one-hot."""

import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq._internal.errors import InputError
from keras_seq.layers import OneHotTokens, TokenEmbedding
from keras_seq.text.encoder import TextEncoder

ENCODER = TextEncoder(["good", "bad"], lowercase=True)
IDS = ENCODER.encode_batch(["Good", "so bad"]).ids


def test_one_row_per_token():
    layer = TokenEmbedding(ENCODER, 3)
    actual = to_numpy(layer(IDS))
    table = to_numpy(layer.embeddings)
    assert table.shape == (4, 3) and len(layer.trainable_weights) == 1
    np.testing.assert_array_equal(actual, table[IDS])


@pytest.mark.parametrize("trainable", [True, False])
def test_pretrained_vectors(trainable):
    vectors = {"bad": [1, 2], "<UNK>": [3, 4], "other": [5, 6]}
    layer = TokenEmbedding(ENCODER, vectors=vectors, trainable=trainable)
    expected = [[[0, 0], [0, 0]], [[3, 4], [1, 2]]]
    np.testing.assert_array_equal(to_numpy(layer(IDS)), expected)
    assert len(layer.trainable_weights) == trainable
    with pytest.raises(InputError, match=r"must all have the same width, got \[1, 2\]"):
        TokenEmbedding(ENCODER, vectors={"good": [1], "bad": [1, 2]})


def test_load_pretrained_vectors():
    layer = TokenEmbedding(ENCODER, 2)
    before = to_numpy(layer(np.array([[0, 1, 2, 3]])))[0]
    assert layer.load_pretrained_vectors({"bad": [7.0, 8.0], "other": [1.0, 2.0]}) == 1
    np.testing.assert_array_equal(to_numpy(layer.embeddings), [*before[:3], [7, 8]])
    with pytest.raises(InputError, match="have 1 numbers, but the embedding has 2"):
        layer.load_pretrained_vectors({"good": [7.0]})


@pytest.mark.parametrize("options", [{"output_dim": 3}, {"vectors": {"bad": [1.0, 2.0]}}])
def test_saving(tmp_path, options):
    inputs = keras.Input((None,), dtype="int32")
    layer = TokenEmbedding(ENCODER, trainable=False, name="words", **options)
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(loaded(IDS)), to_numpy(model(IDS)))
    copy = loaded.get_layer("words")
    assert copy.encoder.get_config() == ENCODER.get_config() and not copy.trainable


def test_one_hot():
    layer = OneHotTokens.from_config(OneHotTokens(4).get_config())
    np.testing.assert_array_equal(to_numpy(layer(IDS)), np.eye(4)[IDS])
    assert layer(keras.KerasTensor((None, None), "int32")).shape == (None, None, 4)

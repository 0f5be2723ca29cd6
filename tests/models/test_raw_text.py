"""Raw text gets the tags of its training tokens, in Python, in saved models and in exports."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND

from keras_seq import export, layers
from keras_seq.export.signatures import adapter_for
from keras_seq.models import SequenceTagger
from keras_seq.text import TagSet, TextEncoder, choose_tokenizer

ADDRESSES = [
    "430 webster st, palo alto, CA 94301",
    "9912 S. Avenue H",
    "B-17 Lee's Mill #4, Evanston, IL 60202",
]
FRENCH = [f"l' {noun} d' {name} , c' est {n},5 ." for noun in ("or", "île") for name in ("A", "É")
          for n in range(8)]  # fmt: skip
CORPORA = {
    "whitespace": [text.split() for text in ADDRESSES],
    "penn_treebank": [
        ["I", "ca", "n't", "see", "Mr.", "Lee", "."],
        ["It", "is", "n't", "Ada", "'s"],
    ],
    "learned": [text.split() for text in FRENCH],
}
TEXTS = {
    "whitespace": ADDRESSES,
    "penn_treebank": ["I can't see Mr. Lee.", "It isn't Ada's"],
    "learned": ["l'or d'A, c'est 3,5."],
}


@functools.cache
def make_tagger(name):
    sentences = CORPORA[name]
    choice = choose_tokenizer(sentences)
    assert choice.tokenizer == name
    encoder = TextEncoder.from_examples(sentences, choice.tokenizer, split_rule=choice.split_rule)
    features = [layers.TokenEmbedding(encoder, 8), layers.CharEncoder(4)]
    stack = layers.RNNStack("SimpleRNN", 4)
    return SequenceTagger(encoder, TagSet(["A", "B"]), features=features, stack=stack)


def tokens_of(name):
    """Return the tokens of the texts: they are sentences of the corpus."""
    by_letters = {"".join(tokens): tokens for tokens in CORPORA[name]}
    return [by_letters[text.replace(" ", "")] for text in TEXTS[name]]


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_texts_and_tokens_have_the_same_tags(name, tmp_path):
    tagger = make_tagger(name)
    results = tagger.tag_tokens([*TEXTS[name], *tokens_of(name)])
    count = len(TEXTS[name])
    for (tags, scores), (expected, expected_scores) in zip(
        results[:count], results[count:], strict=True
    ):
        assert tags == expected
        np.testing.assert_allclose(scores, expected_scores, rtol=1e-4)
    tagger.save(tmp_path / "tagger.keras")
    loaded = keras.models.load_model(tmp_path / "tagger.keras")
    assert [loaded.encoder.tokenize(text) for text in TEXTS[name]] == tokens_of(name)


def check_endpoint(tag, name):
    """Compare the outputs of the endpoint `tag` for texts with the tags of their tokens."""
    import tensorflow as tf

    outputs = {key: array.numpy() for key, array in tag(tf.constant(TEXTS[name])).items()}
    expected = make_tagger(name).tag_tokens(tokens_of(name))
    rows = zip(outputs["tokens"], outputs["tags"], tokens_of(name), expected, strict=True)
    for row_tokens, row_tags, tokens, (tags, _) in rows:
        assert [token.decode() for token in row_tokens if token] == tokens
        assert [tag.decode() for tag in row_tags if tag] == tags


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_the_exported_signature(name):
    adapter = adapter_for(make_tagger(name))
    check_endpoint(adapter.text_signatures(adapter.example_inputs())["tag"].function, name)
    metadata = adapter.metadata()
    assert metadata["tokenizer"] == name and ("split_rule" in metadata) == (name == "learned")


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("name", CORPORA)
def test_the_savedmodel(name, tmp_path):
    import tensorflow as tf

    export.savedmodel(make_tagger(name), tmp_path / "saved")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    check_endpoint(loaded.tag, name)

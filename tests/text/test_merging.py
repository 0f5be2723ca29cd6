"""Vocabularies that extend those of trained models."""

import doctest

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.text import TextEncoder, merging
from keras_seq.text.merging import merge_encoders


def test_trained_tokens_keep_their_ids():
    trained = TextEncoder(["a", "b"], "char", end=True)
    merged = merge_encoders(trained, TextEncoder(["c", "b"], "char", end=True))
    assert merged.tokens == ["<PAD>", "<UNK>", "<EOS>", "a", "b", "c"]
    assert merged.encode("abc") == [3, 4, 5]


def test_texts_are_tokenized_as_by_the_new_encoder():
    merged = merge_encoders(TextEncoder(["a"]), TextEncoder(["b."], "whitespace"))
    assert merged.tokenizer == "whitespace"
    assert merged.encode("a b. .") == [2, 3, 1]


def test_trained_subwords_split_words_as_before():
    trained = TextEncoder(["▁", "n", "o", "w", "▁know"], "wordpiece")
    new = TextEncoder(["▁", "k", "no", "▁kn", "ow", "x"], "wordpiece")
    merged = merge_encoders(trained, new)
    assert merged.vocabulary == ["▁", "n", "o", "w", "▁know", "k", "x"]
    assert merged.tokenize("know now") == trained.tokenize("know now")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenizer": "char"}, "has the tokenizer word, the new one char"),
        ({"lowercase": True}, "has lowercase=False, the new one has lowercase=True"),
        ({"end": True}, "has end=False, the new one has end=True"),
    ],
)
def test_other_kinds_of_tokens_are_an_error(options, message):
    with pytest.raises(InputError, match=message):
        merge_encoders(TextEncoder(["a"]), TextEncoder(["a"], **options))


def test_examples_in_docstrings():
    results = doctest.testmod(merging)
    assert results.attempted and not results.failed

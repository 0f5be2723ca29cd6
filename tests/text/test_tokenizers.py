"""Tests of tokenizers, subwords, vocabularies and word vectors."""

import doctest
import importlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data.vectors import read_vectors
from keras_seq.text.subwords import train_subwords, wordpiece_tokenizer
from keras_seq.text.tokenizers import METASPACE, TOKENIZERS
from keras_seq.text.vocabulary import Vocabulary, build_vocabulary

METASPACE_WORDS = TOKENIZERS["word_metaspace"]


@given(st.text())
@pytest.mark.parametrize("name", TOKENIZERS)
def test_offsets_of_tokens(name, text):
    tokens, has_metaspace = TOKENIZERS[name](text), name == "word_metaspace"
    bare = [token.text.removeprefix(METASPACE) if has_metaspace else token.text for token in tokens]
    assert [text[token.start : token.end] for token in tokens] == bare
    expected = text if name == "char" else "".join(c for c in text if not c.isspace())
    assert "".join(bare) == expected.replace(METASPACE, "" if has_metaspace else METASPACE)


@given(st.text(st.characters(codec="utf-8", exclude_characters=METASPACE)))
def test_metaspace_keeps_spaces(text):
    tokens = METASPACE_WORDS(text)
    assert all(text[start:end] == token.removeprefix(METASPACE) for token, start, end in tokens)
    assert METASPACE_WORDS.detokenize(token for token, _, _ in tokens) == " ".join(text.split())


@given(st.text("abcé ▁(", max_size=12))
def test_wordpieces_are_the_longest_matches(text):
    pieces = ["▁", "a", "b", "c", "ab", "▁ab", "▁abc", "bc"]
    tokens = wordpiece_tokenizer(pieces)(text)
    words = METASPACE_WORDS(text)
    assert "".join(token for token, _, _ in tokens) == "".join(word for word, _, _ in words)
    assert all(text[start:end] == token.removeprefix(METASPACE) for token, start, end in tokens)
    for word, start, end in words:
        rest = word
        for piece in (token for token, begin, stop in tokens if start <= begin and stop <= end):
            longest = max((p for p in pieces if rest.startswith(p)), key=len, default=rest[0])
            assert piece == longest
            rest = rest[len(piece) :]
        assert rest == ""


@pytest.mark.parametrize(
    ("name", "text", "tokens", "expected"),
    [
        ("word", "", ["a", "b"], "a b"),
        ("word", "x", ["a", "b"], "x a b"),
        ("word", "x", [], "x"),
        ("char", "x", ["a", "b"], "xab"),
        ("word_metaspace", "", ["▁a", "b"], "ab"),
        ("word_metaspace", "x y", ["a", "▁b"], "x ya b"),
    ],
)
def test_append(name, text, tokens, expected):
    assert TOKENIZERS[name].append(text, tokens) == expected


def test_train_subwords():
    pytest.importorskip("sentencepiece")
    texts = ["The cat sat.", "the cats (two)"] * 20
    pieces = train_subwords(texts, 24)
    assert pieces == train_subwords(texts, 24) and len(set(pieces)) == len(pieces) <= 24
    assert {"T", "(", ".", "▁"} < set(pieces) and any(len(piece) > 2 for piece in pieces)
    assert len(wordpiece_tokenizer(pieces)("the cat")) < 7
    with pytest.raises(InputError, match="15 pieces are too few for 13 distinct characters"):
        train_subwords(texts, 15)


def test_vocabulary():
    vocabulary = Vocabulary(build_vocabulary("banana", min_count=2))
    assert vocabulary.tokens == ["<PAD>", "<UNK>", "a", "n"]
    np.testing.assert_array_equal(
        vocabulary.encode([["a", "n"], [], ["a", "b", "c"]]), [[2, 3, 0], [0, 0, 0], [2, 1, 1]]
    )
    np.testing.assert_array_equal(vocabulary.encode([list("naan")], length=3), [[3, 2, 2]])
    with pytest.raises(InputError, match="Expected a list of tokens, got one token: 'an'"):
        vocabulary.encode(["an"])
    assert build_vocabulary("abcab", max_size=1) == ["a"]


def test_vectors(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("3 2\nthe 1 2\nNew York 3 4\nada 5 6\n")
    vectors = read_vectors(path, {"the", "New York", "Ada"})
    assert {token: list(v) for token, v in vectors.items()} == {
        "the": [1, 2],
        "New York": [3, 4],
        "Ada": [5, 6],
    }
    path.write_text("the 1 2\nof 1\n")
    with pytest.raises(InputError, match="line 2: expected a token and 2 numbers, got 2 columns"):
        read_vectors(path, {"the", "of"})
    path.write_text("the 1 x\n")
    with pytest.raises(InputError, match="the vector of 'the' must be 2 finite numbers"):
        read_vectors(path, {"the"})
    path.write_text("a 1 2\n")
    with pytest.raises(InputError, match="no vector for any of the 1 tokens"):
        read_vectors(path, {"b"})


@pytest.mark.parametrize("name", TOKENIZERS)
def test_half_of_a_surrogate_pair_is_an_error(name):
    with pytest.raises(InputError, match=r"the text: character 2 is half a surrogate pair"):
        TOKENIZERS[name]("a\ud800")


MODULES = [
    "code_points",
    "encoder",
    "lexicon",
    "lookup",
    "penn_treebank",
    "splitting",
    "subwords",
    "tokenizers",
    "vocabulary",
    "words",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"keras_seq.text.{name}")
    extra = {"tf": tf} if name == "lookup" else {}
    results = doctest.testmod(module, extraglobs=extra)
    assert results.attempted and not results.failed

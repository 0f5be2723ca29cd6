"""Tokens, vocabularies and vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data.vectors import read_vectors
from keras_seq.text.subwords import into_pieces, learn_pieces
from keras_seq.text.tokenizers import MARK, SPLITTERS
from keras_seq.text.vocabulary import Vocabulary, frequent

MARKED = SPLITTERS["marked"]


@given(st.text())
@pytest.mark.parametrize("split", SPLITTERS)
def test_tokens_are_where_they_say(split, text):
    tokens = SPLITTERS[split](text)
    bare = [token.removeprefix(MARK) if split == "marked" else token for token, _, _ in tokens]
    assert [text[start:end] for _, start, end in tokens] == bare
    left = text if split == "text" else "".join(c for c in text if not c.isspace())
    assert "".join(bare) == left.replace(MARK, "" if split == "marked" else MARK)


@pytest.mark.parametrize("split", SPLITTERS)
def test_graphs_split_alike(split):
    tf = pytest.importorskip("tensorflow")
    texts = ["", "Ada's 3 cats (two\tgrey).", "中国 人民，你好！", "naïve_x  öß", "  "]
    found = SPLITTERS[split].in_graph(tf.constant(texts)).to_list()
    expected = [[token for token, _, _ in SPLITTERS[split](text)] for text in texts]
    assert [[token.decode() for token in row] for row in found] == expected


@given(st.text(st.characters(codec="utf-8", exclude_characters=MARK)))
def test_marked_tokens_keep_blanks(text):
    tokens = MARKED(text)
    assert all(text[start:end] == token.removeprefix(MARK) for token, start, end in tokens)
    assert MARKED.joined(token for token, _, _ in tokens) == " ".join(text.split())


@given(st.text("abcé ▁(", max_size=12))
def test_pieces_are_the_longest(text):
    known = Vocabulary(["▁", "a", "b", "c", "ab", "▁ab", "▁abc", "bc"])
    tokens = into_pieces(known)(text)
    words = MARKED(text)
    assert "".join(token for token, _, _ in tokens) == "".join(word for word, _, _ in words)
    assert all(text[start:end] == token.removeprefix(MARK) for token, start, end in tokens)
    for word, start, end in words:
        rest = word
        for piece in (token for token, begin, stop in tokens if start <= begin and stop <= end):
            longest = max((k for k in known.tokens if rest.startswith(k)), key=len, default=rest[0])
            assert piece == longest
            rest = rest[len(piece) :]
        assert rest == ""


def test_marks_and_pieces_in_graphs():
    tf = pytest.importorskip("tensorflow")
    texts = ["", "ab abc(cab)", "a▁b  bc\tabcabé", "  ", "中国 abc_ab."]
    known = Vocabulary(["▁", "a", "b", "c", "ab", "▁ab", "▁abc", "bc", "."])
    for splitter in (MARKED, into_pieces(known)):
        found = splitter.in_graph(tf.constant(texts)).to_list()
        expected = [[token for token, _, _ in splitter(text)] for text in texts]
        assert [[token.decode() for token in row] for row in found] == expected


@pytest.mark.parametrize(
    ("way", "text", "tokens", "expected"),
    [
        ("words", "", ["a", "b"], "a b"),
        ("words", "x", ["a", "b"], "x a b"),
        ("words", "x", [], "x"),
        ("text", "x", ["a", "b"], "xab"),
        ("marked", "", ["▁a", "b"], "ab"),
        ("marked", "x y", ["a", "▁b"], "x ya b"),
    ],
)
def test_texts_are_continued(way, text, tokens, expected):
    tf = pytest.importorskip("tensorflow")
    split = SPLITTERS[way]
    assert split.continued(text, tokens) == expected
    found = split.continued_in_graph(tf.constant([text]), tf.ragged.constant([tokens], tf.string))
    assert found.numpy()[0].decode() == expected


def test_learnt_pieces():
    pytest.importorskip("sentencepiece")
    texts = ["The cat sat.", "the cats (two)"] * 20
    pieces = learn_pieces(texts, 24)
    assert pieces == learn_pieces(texts, 24) and len(set(pieces)) == len(pieces) <= 24
    assert {"T", "(", ".", "▁"} < set(pieces) and any(len(piece) > 2 for piece in pieces)
    split = into_pieces(Vocabulary(pieces))
    assert len(split("the cat")) < 7
    with pytest.raises(InputError, match="15 pieces are too few for 13 different characters"):
        learn_pieces(texts, 15)


def test_vocabulary():
    vocabulary = Vocabulary(frequent("banana", at_least=2))
    assert vocabulary.tokens == ["<PAD>", "<UNK>", "a", "n"]
    np.testing.assert_array_equal(
        vocabulary.numbers(["an", "", "abc"]), [[2, 3, 0], [0, 0, 0], [2, 1, 1]]
    )
    np.testing.assert_array_equal(vocabulary.numbers(["naan"], width=3), [[3, 2, 2]])
    assert frequent("abcab", at_most=1) == ["a"]


def test_vectors(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("3 2\nthe 1 2\nNew York 3 4\nada 5 6\n")
    found = read_vectors(path, {"the", "New York", "Ada"})
    assert {token: list(v) for token, v in found.items()} == {
        "the": [1, 2],
        "New York": [3, 4],
        "Ada": [5, 6],
    }
    path.write_text("the 1 2\nof 1\n")
    with pytest.raises(InputError, match="line 2: expected a token and 2 numbers, got 2 columns"):
        read_vectors(path, {"the", "of"})
    path.write_text("the 1 x\n")
    with pytest.raises(InputError, match="what follows 'the' is not 2 finite numbers"):
        read_vectors(path, {"the"})
    path.write_text("a 1 2\n")
    with pytest.raises(InputError, match="for none of the 1 tokens"):
        read_vectors(path, {"b"})


@pytest.mark.parametrize("name", SPLITTERS)
def test_half_a_surrogate_pair_is_not_text(name):
    with pytest.raises(InputError, match=r"the text: character 2 is half a surrogate pair"):
        SPLITTERS[name]("a\ud800")

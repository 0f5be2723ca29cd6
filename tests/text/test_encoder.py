"""Tests of the text encoder in Python and in TensorFlow graphs."""

import functools
import itertools
import json
import re

import numpy as np
import pytest
from helpers import slow_but
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.text.code_points import (
    EMOJI,
    EXTEND,
    REGIONAL_INDICATOR,
    SPACE,
    WORD,
    lowercase,
    matches_tf,
    token_code_points,
    token_code_points_tf,
)
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tokenizers import METASPACE, TOKENIZERS

NAMES = [*TOKENIZERS, "wordpiece"]
VOCABULARY = [*"aAbéσİß中", "ab", "Ab", "cat", "▁", "▁a", "▁cat", "bab", "x1", "<EOS", "ai̇"]
CASES = [(name, lower) for name in NAMES for lower in (False, True)]
CLASSES = [EMOJI, EXTEND, REGIONAL_INDICATOR, SPACE, WORD]
SOME_CASES = [("word", False), *((name, True) for name in NAMES)]
FEW_CASES = [("word", False), ("char_nospace", True)]
EVERYTHING = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def encoder(name, lower=False):
    return TextEncoder(VOCABULARY, name, lower, end=True)


@functools.cache
def graph(name, lower):
    """Return a function that applies the graph methods of an encoder to texts of any number."""
    import tensorflow as tf

    own = encoder(name, lower)

    def run(texts):
        tokens, encoded = own.tokenize_tf(texts), own.encode_tf(texts, end=True)
        known = not (lower and name == "wordpiece")
        spellings = own.spellings_tf(texts) if known else tf.ragged.constant([[""]])
        more = own.append_tf(texts, own.ids_to_tokens_tf(encoded.ids))
        return tokens, encoded, own.decode_tf(encoded.ids), more, spellings

    return tf.function(run, [tf.TensorSpec([None], tf.string)], autograph=False)


def strings(nest):
    return [string.decode() for string in nest.numpy()]


TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=12),
        st.text("aAbİΣσß中1_.▁<E>OS\x00\x1c\x85\u3000\ufeff \u0301\u200d\ufe0f☂①🇩🏽", max_size=12),
        st.sampled_from(["", " ", "<PAD>", "<UNK> <EOS>", "ab Ab bab", "ΟΔΟΣ"]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize(("name", "lower"), slow_but(FEW_CASES, CASES))
@given(TEXTS)
def test_graphs_equal_python(name, lower, texts):
    own = encoder(name, lower)
    tokens, (ids, lengths), decoded, more, spellings = graph(name, lower)(texts)
    assert strings(tokens.flat_values) == [t for text in texts for t in own.tokenize(text)]
    assert tokens.row_lengths().numpy().tolist() == [len(own.tokenize(text)) for text in texts]
    if not (lower and name == "wordpiece"):
        written = [spelling for text in texts for spelling in own.spellings(text)]
        assert strings(spellings.flat_values) == written
    expected = own.encode_batch(texts, end=True)
    np.testing.assert_array_equal(ids, expected.ids)
    np.testing.assert_array_equal(lengths, expected.lengths)
    assert strings(decoded) == [own.decode(row) for row in expected.ids]
    rows = [own.ids_to_tokens(row) for row in expected.ids]
    assert strings(more) == [own.append(text, row) for text, row in zip(texts, rows, strict=True)]


@pytest.mark.parametrize(
    "options", [{}, {"start": True}, {"unk_if_empty": True}, {"end": True, "unk_if_empty": True}]
)
def test_start_and_end_ids_in_graphs(options):
    import tensorflow as tf

    own, texts = encoder("word"), ["ab b", " ", "b x1 b", ""]
    for batch in (texts, texts[1:2], []):
        encoded = own.encode_tf(tf.constant(batch, tf.string), **options)
        expected = own.encode_batch(batch, **options)
        np.testing.assert_array_equal(encoded.ids, expected.ids)
        np.testing.assert_array_equal(encoded.lengths, expected.lengths)


def boundaries():
    """Return the characters that differ in case or class from a neighbor, and their neighbors."""
    text = "".join(map(chr, range(0x110000)))
    codes = {code for code in range(0x110000) if lowercase(text[code]) != text[code]}
    for pattern in CLASSES:
        for run in re.finditer(f"{pattern}+", text):
            codes |= {run.start() - 1, run.start(), run.end() - 1, run.end()}
    surrogates = range(0xD800, 0xE000)
    return [chr(c) for c in sorted(codes) if 0 <= c < 0x110000 and c not in surrogates]


@pytest.mark.parametrize("pattern", CLASSES)
def test_classes_in_graphs_equal_python_for_all_of_unicode(pattern):
    import tensorflow as tf

    matches = matches_tf(pattern, tf.range(0x110000)).numpy()
    compiled = re.compile(pattern)
    expected = [compiled.match(character) is not None for character in EVERYTHING]
    assert np.delete(matches, slice(0xD800, 0xE000)).tolist() == expected


def check_tokens(name, lower, texts):
    """Check that the graph and Python give the same tokens of texts."""
    import tensorflow as tf

    own = encoder(name, lower)
    tokens = own.tokenize_tf(tf.constant(texts))
    expected = [own.tokenize(text) for text in texts]
    assert tokens.row_lengths().numpy().tolist() == [*map(len, expected)]
    # Faster than comparing a million strings one by one; shows the first differences.
    flat = np.array([t.encode() for t in itertools.chain.from_iterable(expected)], object)
    differ = tokens.flat_values.numpy() != flat
    assert not differ.any(), flat[differ][:9]


@pytest.mark.parametrize(("name", "lower"), slow_but(FEW_CASES, SOME_CASES))
def test_graphs_equal_python_at_the_boundaries_of_classes(name, lower):
    """Compare each character alone, in several contexts, and all characters in one text.

    A tokenizer depends on a character only by its class and its lower case.
    """
    characters = boundaries()
    for context in ("a{}B", "{}", "{0}{0}", "e\u0301{}", " {}'s."):
        check_tokens(name, lower, [context.format(character) for character in characters])
    check_tokens(name, lower, ["".join(characters)])


@pytest.mark.parametrize("name", NAMES)
def test_graphs_equal_python_for_all_orders_of_classes(name):
    one_of_each = "a1 _!▁\u0301\u200d☂①\U0001f1e9ᅡ"
    for length in range(5):
        texts = map("".join, itertools.product(one_of_each, repeat=length))
        check_tokens(name, False, [*texts])


@pytest.mark.parametrize("name", ["word_metaspace", "penn_treebank"])
def test_graphs_are_saved_with_operations_of_tensorflow_only(name, tmp_path):
    import tensorflow as tf

    text, module = "They can't\x85see हिन्दी cafe\u0301\u3000👩🏽‍🔬🇩🇪.", tf.Module()
    module.run = tf.function(encoder(name).tokenize_tf, [tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, tmp_path)
    tokens = tf.saved_model.load(tmp_path).run(tf.constant([text]))
    assert strings(tokens.flat_values) == encoder(name).tokenize(text)


def test_code_points_of_tokens_in_graphs():
    import tensorflow as tf

    sentences = [["ab", "中\U0001f600xyz", ""], ["q"]]
    padded = [[*tokens, *[""] * (3 - len(tokens))] for tokens in sentences]
    expected = token_code_points(sentences, 3)
    assert expected[0, 1].tolist() == [ord("中"), 0x1F600, ord("x")]
    np.testing.assert_array_equal(token_code_points_tf(tf.constant(padded), 3), expected)
    np.testing.assert_array_equal(token_code_points(sentences, 3, length=1), expected[:, :1])
    longer = token_code_points(sentences, 3, length=5)
    np.testing.assert_array_equal(longer[:, :3], expected)
    assert not longer[:, 3:].any()
    assert token_code_points([], 3, length=2).shape == (0, 2, 3)


@given(st.text(), st.sampled_from(NAMES), st.booleans())
def test_offsets_refer_to_the_original_text(text, name, lower):
    for token, start, end in encoder(name, lower).tokenize_with_offsets(text):
        bare = token if name in ("char", "char_nospace") else token.removeprefix(METASPACE)
        assert bare == (lowercase(text[start:end]) if lower else text[start:end]) or not bare


def test_spellings():
    text = " Ada's İX▁x  中"
    own = TextEncoder(["▁ada", "'", "a"], "word_metaspace", lowercase=True)
    assert own.tokenize(text) == ["▁ada", "'", "s", "▁ix", "▁x", "▁中"]
    assert own.spellings(text) == ["Ada", "'", "s", "İX", "x", "中"]
    assert own.spellings(["▁Ada", "x"]) == ["Ada", "x"]
    assert TextEncoder(["a"], lowercase=True).spellings(["▁Ada"]) == ["▁Ada"]


def test_lower_case_keeps_the_number_of_characters():
    every = "".join(EVERYTHING)
    lower = lowercase(every)
    assert len(lower) == len(every) and lowercase(lower) == lower
    assert all(a == b.lower() for a, b in zip(lower, every, strict=True) if b != "İ")
    assert lowercase("ΟΔΟΣ İÉ") == "οδοσ ié"


def test_ids_and_special_tokens():
    own = TextEncoder(["a", "b"], end=True)
    assert own.tokens == ["<PAD>", "<UNK>", "<EOS>", "a", "b"] and own.vocab_size == 5
    assert (own.pad_id, own.unk_id, own.start_id, own.end_id) == (0, 1, 2, 2)
    plain = TextEncoder(["a", "b"])
    assert plain.tokens == ["<PAD>", "<UNK>", "a", "b"] and plain.end_id is None
    assert own.encode("b a c") == own.encode(["b", "a", "c"]) == [4, 3, 1]
    batch = own.encode_batch(["a b", [], ["b"]], start=True, end=True)
    assert batch.ids.tolist() == [[2, 3, 4, 2], [2, 2, 0, 0], [2, 4, 2, 0]]
    assert batch.lengths.tolist() == [4, 2, 3]
    cut = own.encode_batch(["a b", ""], unk_if_empty=True, length=1)
    assert cut.ids.tolist() == [[3], [1]] and cut.lengths.tolist() == [1, 1]
    assert own.encode_batch([]).ids.shape == (0, 0)
    assert own.ids_to_tokens([2, 3, 1, 0]) == ["a", "<UNK>"]
    assert own.decode(np.array([3, 4, 2, 0])) == "a b"


def test_raw_text_is_never_a_special_token():
    own = TextEncoder(["a"], "whitespace", end=True)
    assert own.encode("a <PAD> <EOS> <UNK>") == [3, 1, 1, 1]
    # In a list of tokens, <EOS> is the end token.
    assert own.encode(["a", "<PAD>", "<EOS>"]) == [3, 1, 2]
    assert TextEncoder("a", lowercase=True, end=True).encode(["A", "<EOS>"]) == [3, 2]
    assert TextEncoder.from_examples(["<PAD> b b", ["<EOS>", "a"]], "whitespace").vocabulary == [
        "b",
        "a",
    ]


def test_vocabularies_of_examples():
    texts = ["B b a c", ["a", "b", "D"]]
    assert TextEncoder.from_examples(texts).vocabulary == ["a", "b", "B", "D", "c"]
    lower = TextEncoder.from_examples(texts, lowercase=True, min_count=2, end=True)
    assert lower.vocabulary == ["b", "a"] and lower.end_id == 2 and lower.lowercase
    assert TextEncoder.from_examples(texts, max_size=1).vocabulary == ["a"]
    assert TextEncoder.from_examples(["a b"], min_count=2).vocabulary == ["a", "b"]
    assert TextEncoder.from_examples(["ab b"], "char").vocabulary == ["b", " ", "a"]


def test_wordpieces_of_examples():
    pytest.importorskip("sentencepiece")
    texts = ["The cat sat.", "the cats (two)"] * 20
    own = TextEncoder.from_examples(texts, "wordpiece", lowercase=True, max_size=24)
    assert len(own.vocabulary) <= 24 and "T" not in own.vocabulary
    assert own.decode(own.encode("THE cat sat")) == "the cat sat"


def test_config_survives_json():
    own = TextEncoder(["a", "▁b"], "wordpiece", lowercase=True, end=True)
    again = TextEncoder.from_config(json.loads(json.dumps(own.get_config())))
    assert again.get_config() == own.get_config()
    assert again.encode("B x") == own.encode("B x")
    assert repr(own) == "TextEncoder(2 tokens, tokenizer='wordpiece', lowercase=True, end=True)"


MISTAKES = {
    "no vocabulary": (lambda: TextEncoder([]), "at least one token"),
    "a token twice": (lambda: TextEncoder(["a", "b", "a"]), "the token 'a' twice"),
    "a special token": (lambda: TextEncoder(["<PAD>"]), "contains <PAD>, which TextEncoder adds"),
    "a number": (lambda: TextEncoder([3]), "must be non-empty strings, got 3"),
    "no such tokenizer": (lambda: TextEncoder(["a"], "bytes"), "no tokenizer 'bytes'"),
    "no examples": (lambda: TextEncoder.from_examples([" "]), "1 examples contain no tokens"),
    "wordpiece without max_size": (
        lambda: TextEncoder.from_examples(["a"], "wordpiece"),
        "requires max_size",
    ),
    "wordpieces of lists": (
        lambda: TextEncoder.from_examples([["a"]], "wordpiece", max_size=9),
        "from texts, not from lists",
    ),
    "one text": (lambda: encoder("word").encode_batch("abc"), "a list of texts, got one text"),
    "no end token": (
        lambda: TextEncoder(["a"]).encode_batch(["a"], end=True),
        "has no end token, .* create it with end=True",
    ),
    "no such id": (lambda: encoder("word").decode([99]), "Id 99 is out of range: ids are 0 to 20"),
    "spellings of wordpieces": (
        lambda: encoder("wordpiece", True).spellings_tf(["a"]),
        "known only with lowercase=False",
    ),
    "half a pair": (lambda: encoder("word").encode("a\ud800"), "half a surrogate pair"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_errors(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        call()

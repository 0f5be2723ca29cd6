"""Tests of clusters and words in the scripts of the world."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq.text.tokenizers import METASPACE, TOKENIZERS
from keras_seq.text.words import are_characters

WORDS = {
    "Arabic with vowels": "مُحَمَّد",
    "Bengali": "বাংলা",
    "Devanagari": "हिन्दी",
    "Devanagari with a joiner": "क्‍ष",
    "Devanagari with a non-joiner": "क्‌ष",
    "Ethiopic": "አማርኛ",
    "Greek, decomposed": "ἀ\u0301ριστος",
    "Hangul, decomposed": "한국어",
    "Hebrew with points": "שָׁלוֹם",
    "Japanese, decomposed": "か\u3099き",
    "Khmer": "ភាសាខ្មែរ",
    "Latin, decomposed": "cafe\u0301",
    "Latin with a soft hyphen": "co\u00adoperate",
    "Malayalam": "മലയാളം",
    "Myanmar": "မြန်မာ",
    "Persian with a non-joiner": "می‌خواهم",
    "Sinhala": "ශ්‍රී",
    "Tamil": "தமிழ்",
    "Telugu": "తెలుగు",
    "Thai": "ภาษาไทย",
    "Tibetan": "བོད",
    "Vietnamese, decomposed": "Tie\u0302\u0301ng",
    "ideographs with a variation selector": "葛\U000e0100城",
}
SYMBOLS = {
    "family": "👨‍👩‍👧‍👦",
    "flag": "🇩🇪",
    "flag of Scotland": "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "flag of pirates": "🏴‍☠️",
    "keycap": "#️⃣",
    "profession with a skin tone": "👩🏽‍🔬",
    "skin tone": "👍🏽",
    "heart with a variation selector": "❤️",
    "decomposed sign": "≠",
}


@pytest.mark.parametrize("name", ["word", "word_metaspace"])
@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_words_are_one_token(word, name):
    text = f"{word} ({word}) a{word}"
    prefix = METASPACE if name == "word_metaspace" else ""
    expected = [prefix + word, prefix + "(", word, ")", f"{prefix}a{word}"]
    assert [token.text for token in TOKENIZERS[name](text)] == expected
    assert all(text[a:b] == token.removeprefix(prefix) for token, a, b in TOKENIZERS[name](text))


@pytest.mark.parametrize("name", ["char_nospace", "word"])
def test_emoji_sequences_are_one_token(name):
    """Every two of them stand side by side somewhere, and each between letters."""
    symbols = [symbol for pair in itertools.product(SYMBOLS.values(), repeat=2) for symbol in pair]
    assert [token.text for token in TOKENIZERS[name]("".join(symbols))] == symbols
    tokens = [token for symbol in symbols for token in (symbol, "a", "1️⃣")]
    if name == "char_nospace":
        assert [token.text for token in TOKENIZERS[name]("".join(tokens))] == tokens
    else:
        assert len(TOKENIZERS[name]("".join(tokens))) == 2 * len(symbols)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("🇩🇪🇫🇷🇮", ["🇩🇪", "🇫🇷", "🇮"]),
        ("🇩\u0301🇪🇫", ["🇩\u0301", "🇪🇫"]),
        # Marks after white space, or at the beginning, have no base.
        ("\u0301\u0302a \u0301", ["\u0301\u0302", "a", "\u0301"]),
        ("a\u200d☂\u200d①", ["a\u200d", "☂\u200d", "①"]),
        ("don't 3.5 a_b", ["don", "'", "t", "3", ".", "5", "a", "_", "b"]),
        ("x\u200by\ufeffz", ["x", "\u200b", "y", "\ufeff", "z"]),
    ],
)
def test_special_cases(text, words):
    assert [token.text for token in TOKENIZERS["word"](text)] == words


def test_code_points_remain_separate_in_char():
    assert [token.text for token in TOKENIZERS["char"]("e\u0301 🇩🇪")] == [*"e\u0301 🇩🇪"]


def test_characters():
    assert are_characters(SYMBOLS.values()) and are_characters(["葛\U000e0100", "a", " "])
    assert not are_characters(["a", "한국"]) and not are_characters([""])


@pytest.mark.parametrize("name", ["char_nospace", "word"])
@given(st.text("aé1 ी\u0301\u200d\ufe0f☂👩①🇩🏽", max_size=20))
def test_tokens_are_whole_clusters(name, text):
    """Compare with the library regex, whose \\X is the whole of UAX #29."""
    regex = pytest.importorskip("regex")
    tokens = TOKENIZERS[name](text)
    clusters = [m.span() for m in regex.finditer(r"\X", text)]
    if name == "word":
        boundaries = {*itertools.chain.from_iterable(clusters)}
        spans = {boundary for token in tokens for boundary in token[1:]}
        # A mark after white space is a token, since white space belongs to none.
        assert all(n in boundaries or text[n - 1] == " " for n in spans)
    else:
        no_space = [(a + (text[a] == " "), b) for a, b in clusters if text[a:b] != " "]
        assert [token[1:] for token in tokens] == no_space


BY_DICTIONARY = (
    "Japanese, decomposed",
    "Khmer",
    "Myanmar",
    "Thai",
    "ideographs with a variation selector",
)
"""Words of scripts without spaces, which UAX #29 leaves to dictionaries."""


@pytest.mark.parametrize("script", [script for script in WORDS if script not in BY_DICTIONARY])
def test_words_of_uax_29_are_the_same(script):
    regex = pytest.importorskip("regex")
    text = f"{WORDS[script]} a{WORDS[script]}"
    words = [word for word in regex.split(r"(?w)\b", text) if word.strip()]
    assert [token.text for token in TOKENIZERS["word"](text)] == words

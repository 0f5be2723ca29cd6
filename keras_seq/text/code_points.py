"""Character classes and lower case, with equal results in Python and TensorFlow graphs.

TensorFlow's string operations use another Unicode version and another definition of white space
than Python. Graphs therefore compute on code points, with tables built by Python.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_seq._internal.types import Array

if TYPE_CHECKING:
    import tensorflow as tf

SPACE = r"\s"
"""Regular expression of white space."""

WORD = r"[^\W_]"
"""Regular expression of a letter or digit."""


def _character_class(code_points: Iterable[int]) -> str:
    """Return the regular expression of a set of code points, for `re` and for RE2."""
    ranges: list[list[int]] = []
    for code in sorted(code_points):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in ranges)}]"


EXTEND = _character_class(
    code
    for first, last in ((0xAD, 0xAD), (0x300, 0x20000), (0xE0020, 0xE01EF))
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)).startswith("M")
    # Soft hyphen, joiners, modifiers of skin tone, tags.
    or code in (0xAD, 0x200C, 0x200D, 0x2060)
    or 0x1F3FB <= code <= 0x1F3FF
    or 0xE0020 <= code <= 0xE007F
    # Vowels that follow a consonant of Thai and Lao, voicing of half-width kana, and conjoining
    # vowels and final consonants of Hangul.
    or code in (0xE33, 0xEB3, 0xFF9E, 0xFF9F)
    or 0x1160 <= code <= 0x11FF
    or 0xD7B0 <= code <= 0xD7FF
)
"""Regular expression of a character that belongs to the character before it.

This simplifies `Grapheme_Cluster_Break` of UAX #29: combining marks, variation selectors, joiners,
and the like.
"""

REGIONAL_INDICATOR = "[\U0001f1e6-\U0001f1ff]"
"""Regular expression of a regional indicator. Two form a flag."""

EMOJI = _character_class(
    code
    for first, last in ((0xA9, 0xAE), (0x203C, 0x2049), (0x2122, 0x3299), (0x1F000, 0x1FAFF))
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)) in ("Cn", "Po", "Sm", "So")
    and not (0x1F1E6 <= code <= 0x1F1FF or 0x1F3FB <= code <= 0x1F3FF)
)
"""Regular expression of a symbol that a joiner may join to another one.

This has all emoji, and symbols that no text joins. Unicode reserves the unassigned code points for
emoji.
"""


def lowercase(text: str) -> str:
    """Return a text of the same length in lower case.

    This is Unicode's simple case mapping, which ignores neighboring characters. For example,
    Σ becomes σ even at the end of a word, and İ becomes i.

    >>> lowercase("ΟΔΟΣ")
    'οδοσ'
    """
    return text.replace("İ", "i").replace("Σ", "σ").lower()


def lowercase_tf(code_points: tf.Tensor) -> tf.Tensor:
    """Return code points in lower case, like `lowercase` in Python.

    Args:
        code_points: int32 tensor `(n,)`.

    Returns:
        int32 tensor `(n,)`.
    """
    import tensorflow as tf

    upper, lower = map(tf.constant, _case_pairs())
    index = tf.minimum(tf.searchsorted(upper, code_points), upper.shape[0] - 1)
    return tf.where(tf.gather(upper, index) == code_points, tf.gather(lower, index), code_points)


def lowercase_table() -> Array:
    """Return the lower case of all code points, int32 `(1114112,)`."""
    return np.frombuffer(_encode(lowercase(_all_characters())), "int32")


def matches(pattern: str) -> Array:
    """Return which code points match a pattern, bool `(1114112,)`.

    Args:
        pattern: A regular expression of this module.
    """
    counts = np.zeros(0x110000 + 1, "int32")
    counts[_bounds(pattern)] = 1
    return np.cumsum(counts)[:-1] % 2 == 1


def matches_tf(pattern: str, code_points: tf.Tensor) -> tf.Tensor:
    """Return which characters match a pattern, like `re.match` in Python.

    Args:
        pattern: A regular expression of this module.
        code_points: int32 tensor `(n,)`.

    Returns:
        bool tensor `(n,)`.
    """
    import tensorflow as tf

    bounds = tf.constant(_bounds(pattern))
    return tf.searchsorted(bounds, code_points, side="right") % 2 == 1


def token_code_points(
    sentences: Sequence[Sequence[str]], max_characters: int, length: int | None = None
) -> Array:
    """Return the code points of the first characters of each token.

    >>> token_code_points([["ab", "c"], ["d"]], max_characters=3).tolist()
    [[[97, 98, 0], [99, 0, 0]], [[100, 0, 0], [0, 0, 0]]]

    Args:
        sentences: Lists of tokens.
        max_characters: Number of characters to keep per token.
        length: Number of tokens to keep per sentence. Default: length of the longest sentence.

    Returns:
        int32 `(sentences, length, max_characters)`, padded with 0.
    """
    if length is None:
        length = max(map(len, sentences), default=0)
    tokens = [token[:max_characters] for sentence in sentences for token in sentence[:length]]
    characters = np.zeros((len(tokens), max_characters), "int32")
    token_lengths = np.array([len(token) for token in tokens], "int32")
    is_character = np.arange(max_characters) < token_lengths[:, None]
    characters[is_character] = np.frombuffer(_encode("".join(tokens)), "int32")
    result = np.zeros((len(sentences), length, max_characters), "int32")
    lengths = np.array([len(sentence) for sentence in sentences], "int32")
    result[np.arange(length) < lengths[:, None]] = characters
    return result


def token_code_points_tf(tokens: tf.Tensor, max_characters: int) -> tf.Tensor:
    """Return the code points of the first characters of each token, in a TensorFlow graph.

    Args:
        tokens: Strings `(batch, timesteps)`, padded with empty strings.
        max_characters: Number of characters to keep per token.

    Returns:
        int32 `(batch, timesteps, max_characters)`, padded with 0.
    """
    import tensorflow as tf

    # Flattened, so that `unicode_decode` adds the only ragged dimension.
    rows = tf.strings.unicode_decode(tf.reshape(tokens, [-1]), "UTF-8")
    codes = rows.to_tensor(shape=[None, max_characters])
    return tf.reshape(codes, tf.concat([tf.shape(tokens), [max_characters]], 0))


@functools.cache
def _bounds(pattern: str) -> Array:
    """Return the first code point of each matching range, and the first code point after it."""
    runs = re.finditer(f"{pattern}+", _all_characters())
    return np.array([bound for run in runs for bound in run.span()], "int32")


@functools.cache
def _case_pairs() -> tuple[Array, Array]:
    """Return the code points that differ from their lower case, sorted, and their lower case."""
    lower = lowercase_table()
    upper = np.flatnonzero(lower != np.arange(len(lower))).astype("int32")
    return upper, lower[upper]


def _all_characters() -> str:
    """Return a string of all code points in order, including surrogates."""
    return np.arange(0x110000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _encode(text: str) -> bytes:
    return text.encode("utf-32-le", "surrogatepass")

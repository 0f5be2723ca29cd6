"""Tokenization rule learned from tokenized text.

The rule decides for each pair of adjacent characters whether a token ends between them, from the
classes of the characters around. It begins with a default and has exceptions to it for longer and
longer contexts: back-off in the manner of Brants (2000).
"""

from __future__ import annotations

import functools
import string
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_seq._internal.types import Array
from keras_seq.text import code_points
from keras_seq.text.splitting import Token, join_tf, row_ids_tf
from keras_seq.text.tokenizers import LEARNED, Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf

MIN_COUNT = 2
"""Minimum number of occurrences of a context of the last two levels."""

OUTSIDE, SPACE_CLASS = 0, 1
"""Classes of the places beyond the text, and of white space."""
_LETTER, _IDEOGRAPH, _MARK, _NUMBER = 2, 3, 4, 5
_LAST_WORD_CLASS = _NUMBER
_FIRST_ASCII, _FIRST_SYMBOL = 6, 40
"""First class of ASCII punctuation and of the categories of other symbols."""
_FIRST_LETTER = 80
"""First class of the letters a to z in contexts that tell them apart."""
_SYMBOLS = ["Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Cc", "Cf", "Co"]
_IDEOGRAPHS = [(0x3040, 0x3100), (0x3400, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32000)]

_BASE = 128
"""Number of possible classes."""
_CONTEXTS = [(-1, 0, "groups"), (-1, 0, "classes"), (-2, 1, "classes"), (-3, 2, "letters")]
"""First and last character of each context, and what it tells apart: groups of classes, in which
all symbols are one; classes; or also letters. Character 0 follows the possible end of a token."""
_LEVEL = _BASE**6


class SplitRule:
    """Rule that splits text at white space and in learned contexts.

    >>> rule = SplitRule.fit([("Ada's cat, too", [(0, 3), (3, 5), (6, 9), (9, 10), (11, 14)])] * 2)
    >>> [token.text for token in rule.tokenizer("Bob's dog, here")]
    ['Bob', "'s", 'dog', ',', 'here']

    Without exceptions, words are separated from symbols, and symbols from each other. Case does not
    matter.

    Args:
        exceptions: Numbers of the contexts in which the opposite of the decision for the next
            shorter context holds, as `fit` determines them.
    """

    def __init__(self, exceptions: Iterable[int]) -> None:
        self.exceptions = np.array(sorted(exceptions), "int64")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, serializable to JSON."""
        return {"exceptions": self.exceptions.tolist()}

    def to_metadata(self) -> dict[str, list[int]]:
        """Return everything that an implementation in another language needs.

        Returns:
            `exceptions`; `bounds`, the first code point of each range of characters of one class;
            and `classes` and `letter_classes`, the class of each range without and with classes for
            letters.
        """
        classes, letter_classes = _class_tables()
        return {
            "exceptions": self.exceptions.tolist(),
            "bounds": _class_bounds().tolist(),
            "classes": classes.tolist(),
            "letter_classes": letter_classes.tolist(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SplitRule:
        """Create a rule from the configuration that `get_config` returns.

        Args:
            config: Arguments of the constructor.
        """
        return cls(**config)

    @classmethod
    def fit(cls, examples: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> SplitRule:
        """Learn a rule from texts and the offsets of their tokens.

        Args:
            examples: For each text the start and end of all its tokens.
        """
        class_pairs, splits = [], []
        for text, offsets in examples:
            classes = _classes(text)
            starts = np.zeros(len(text), bool)
            starts[[start for start, _ in offsets]] = True
            inside = _inside(classes[0])
            class_pairs.append([_surroundings(array)[inside] for array in classes])
            splits.append(starts[inside])
        if not splits:
            return cls([])
        coarse, fine = (np.concatenate(arrays) for arrays in zip(*class_pairs, strict=True))
        return cls(_learn(coarse, fine, np.concatenate(splits)))

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """Tokenizer of the rule, in Python and in TensorFlow graphs."""
        return Tokenizer(LEARNED, self._split, self._split_tf, " ")

    def _split(self, text: str) -> list[Token]:
        if not text:
            return []
        coarse, fine = map(_surroundings, _classes(text))
        center = -_CONTEXTS[-1][0]
        decisions = ~_is_joined(coarse[:, center - 1], coarse[:, center])
        for level in range(len(_CONTEXTS)):
            decisions ^= np.isin(_keys(coarse, fine, level), self.exceptions)
        space = coarse[:, center] == SPACE_CLASS
        follows_space = np.isin(coarse[:, center - 1], (OUTSIDE, SPACE_CLASS))
        starts = ~space & (decisions | follows_space)
        # A token ends at the next white space or token.
        bounds = np.append(np.flatnonzero(starts | space), len(text))
        first = np.flatnonzero(starts)
        ends = bounds[np.searchsorted(bounds, first, "right")]
        offsets = zip(first.tolist(), ends.tolist(), strict=True)
        return [Token(text[start:end], start, end) for start, end in offsets]

    def _split_tf(self, codes: tf.RaggedTensor) -> tf.RaggedTensor:
        import tensorflow as tf

        flat, rows = codes.flat_values, row_ids_tf(codes)
        tables = [tf.constant(table) for table in _class_tables()]
        bounds = tf.constant(_class_bounds())
        runs = tf.searchsorted(bounds, flat, side="right") - 1
        coarse, fine = (tf.gather(table, runs) for table in tables)

        def shift(classes: tf.Tensor, distance: int) -> tf.Tensor:
            """Return the class of the character at a distance; `OUTSIDE` beyond the text."""
            size = tf.size(flat, tf.int64)
            indices = tf.range(size) + distance
            clipped = tf.clip_by_value(indices, 0, tf.maximum(size - 1, 0))
            inside = (clipped == indices) & (tf.gather(rows, clipped) == rows)
            return tf.where(inside, tf.gather(classes, clipped), OUTSIDE)

        before = shift(coarse, -1)
        decisions = ~_is_joined(before, coarse)
        exceptions = tf.constant(self.exceptions)
        by_name = {
            "groups": tf.minimum(coarse, _FIRST_ASCII),
            "classes": coarse,
            "letters": fine,
        }
        for level, (first, last, name) in enumerate(_CONTEXTS):
            keys = tf.fill(tf.shape(flat), tf.constant(level, tf.int64))
            for distance in range(first, last + 1):
                keys = keys * _BASE + shift(by_name[name], distance)
            keys += level * (_LEVEL - _BASE ** (last - first + 1))
            if len(self.exceptions):
                row = tf.minimum(tf.searchsorted(exceptions, keys), len(self.exceptions) - 1)
                decisions = tf.math.logical_xor(decisions, tf.gather(exceptions, row) == keys)
        space = coarse == SPACE_CLASS
        follows_space = (before == OUTSIDE) | (before == SPACE_CLASS)
        return join_tf(codes, ~space, ~space & (decisions | follows_space))


def _learn(coarse: Array, fine: Array, splits: Array) -> list[int]:
    """Return the exceptions of a rule.

    Args:
        coarse: Classes around each pair of adjacent characters, `(pairs, characters)`.
        fine: The same with a class for each letter.
        splits: bool `(pairs,)`: whether a token ends between the characters.
    """
    center = -_CONTEXTS[-1][0]
    decisions = ~_is_joined(coarse[:, center - 1], coarse[:, center])
    exceptions: list[int] = []
    for level in range(len(_CONTEXTS)):
        keys, row, counts = np.unique(
            _keys(coarse, fine, level), return_inverse=True, return_counts=True
        )
        num_splits = np.bincount(row, splits, len(keys))
        before = np.zeros(len(keys), bool)
        before[row] = decisions
        majority = np.where(2 * num_splits == counts, before, 2 * num_splits > counts)
        differs = (majority != before) & (counts >= (MIN_COUNT if level > 1 else 1))
        exceptions += keys[differs].tolist()
        decisions ^= differs[row]
    return exceptions


def _keys(coarse: Array, fine: Array, level: int) -> Array:
    """Return the number of the context of each character, `(characters,)`."""
    first, last, name = _CONTEXTS[level]
    center = -_CONTEXTS[-1][0]
    classes = fine if name == "letters" else coarse
    window = classes[:, center + first : center + last + 1].astype("int64")
    if name == "groups":
        window = np.minimum(window, _FIRST_ASCII)
    return window @ _BASE ** np.arange(last - first, -1, -1) + level * _LEVEL


def _surroundings(classes: Array) -> Array:
    """Return the classes around each character, `(characters, length of the longest context)`."""
    first, last, _ = _CONTEXTS[-1]
    padded = np.pad(classes, (-first, last))
    return np.lib.stride_tricks.sliding_window_view(padded, last - first + 1)


def _inside(classes: Array) -> Array:
    """Return which characters follow another, without white space between them."""
    is_space = classes == SPACE_CLASS
    return ~is_space & ~np.concatenate([[True], is_space[:-1]])[: len(classes)]


def _is_joined(before: Any, after: Any) -> Any:
    """Return whether two characters are both of a word, or the second belongs to the first."""
    return (_is_word(before) & _is_word(after)) | (after == _MARK)


def _is_word(classes: Any) -> Any:
    return (classes >= _LETTER) & (classes <= _LAST_WORD_CLASS)


def _classes(text: str) -> tuple[Array, Array]:
    """Return the class of each character, without and with classes for letters."""
    codes = np.frombuffer(text.encode("utf-32-le"), "int32")
    runs = np.searchsorted(_class_bounds(), codes, "right") - 1
    coarse, fine = _class_tables()
    return coarse[runs], fine[runs]


@functools.cache
def _all_classes() -> tuple[Array, Array]:
    """Return the classes of all code points, without and with classes for letters."""
    numbers = {name: _FIRST_SYMBOL + number for number, name in enumerate(_SYMBOLS)}
    major = {"L": _LETTER, "M": _MARK, "N": _NUMBER}
    other = _FIRST_SYMBOL + len(_SYMBOLS)
    categories = [unicodedata.category(chr(code)) for code in range(0x110000)]
    by_category = {c: numbers.get(c, major.get(c[0], other)) for c in set(categories)}
    coarse = np.array([by_category[category] for category in categories], "int64")
    for first, end in _IDEOGRAPHS:
        letters = coarse[first:end]
        letters[letters == _LETTER] = _IDEOGRAPH
    symbols = [ord(character) for character in string.punctuation]
    coarse[symbols] = np.arange(_FIRST_ASCII, _FIRST_ASCII + len(symbols))
    coarse[code_points.matches(code_points.EXTEND)] = _MARK
    coarse[code_points.matches(code_points.SPACE)] = SPACE_CLASS
    fine = coarse.copy()
    fine[ord("a") : ord("z") + 1] = np.arange(_FIRST_LETTER, _FIRST_LETTER + 26)
    # Conversion to lower case must not change a class.
    lower = code_points.lowercase_table()
    return coarse[lower], fine[lower]


@functools.cache
def _class_bounds() -> Array:
    """Return the first code point of each range of equal classes."""
    _, fine = _all_classes()
    return np.concatenate([[0], np.flatnonzero(np.diff(fine)) + 1]).astype("int32")


@functools.cache
def _class_tables() -> tuple[Array, Array]:
    """Return the class of each range of `_class_bounds`, without and with classes for letters."""
    coarse, fine = (array[_class_bounds()] for array in _all_classes())
    return coarse, fine

"""Characters as readers see them, and words, in Python and in TensorFlow graphs.

Both simplify UAX #29, Unicode Text Segmentation. A user-perceived character (cluster) is one of

- a character with the combining marks, joiners and variation selectors after it,
- a sequence of emoji with joiners between them, such as a family,
- two regional indicators, which form a flag.

A word is a sequence of letters and digits with the marks after them, so that words of Hindi,
Tamil or pointed Hebrew, and letters with a combining accent, stay whole. Every other cluster
is a token of its own. Unlike in UAX #29, an apostrophe, a period and _ are never part of a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from keras_seq.text.code_points import EMOJI, EXTEND, REGIONAL_INDICATOR, SPACE, WORD, matches_tf
from keras_seq.text.splitting import Token, is_after_tf, join_tf, previous_tf, split_by

if TYPE_CHECKING:
    import tensorflow as tf

METASPACE = "▁"
"""Character that stands for a space before a token."""

_JOINER = 0x200D
CLUSTER_PATTERN = (
    f"(?:{EMOJI}(?:{EXTEND}*{chr(_JOINER)}{EMOJI})*|{REGIONAL_INDICATOR}{{2}}|\\S){EXTEND}*"
)
"""Regular expression of a cluster, for `re`."""
WORD_PATTERN = f"(?:{WORD}+{EXTEND}*)+|{CLUSTER_PATTERN}"
"""Regular expression of a word or another cluster, for `re`."""

split_clusters = split_by(CLUSTER_PATTERN)
split_words = split_by(WORD_PATTERN)


def are_characters(tokens: Iterable[str]) -> bool:
    """Return whether each token is one character as readers see it.

    >>> are_characters(["中", "e\u0301", "👍🏽"]), are_characters(["ab"])
    (True, False)

    Args:
        tokens: Tokens.
    """
    return all(len(token) == 1 or re.fullmatch(CLUSTER_PATTERN, token) for token in set(tokens))


def split_metaspace(text: str) -> list[Token]:
    """Return words that begin with `METASPACE` if they begin the text or follow white space.

    >>> [token.text for token in split_metaspace("Ada's cat")]
    ['▁Ada', "'", 's', '▁cat']

    Args:
        text: Text.
    """
    text = text.replace(METASPACE, " ")
    return [
        Token(METASPACE * (start == 0 or text[start - 1].isspace()) + word, start, end)
        for word, start, end in split_words(text)
    ]


def split_clusters_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    """Return the clusters that are not white space, like `split_clusters`.

    Args:
        codes: Code points `(batch, (characters))`.
    """
    space = matches_tf(SPACE, codes.flat_values)
    starts, _ = _cluster_starts_tf(codes, space)
    return join_tf(codes, ~space, starts)


def split_words_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    """Return words, like `split_words`.

    Args:
        codes: Code points `(batch, (characters))`.
    """
    space = matches_tf(SPACE, codes.flat_values)
    return join_tf(codes, ~space, _word_starts_tf(codes, space))


def split_metaspace_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    """Return words, like `split_metaspace`.

    Args:
        codes: Code points `(batch, (characters))`.
    """
    import tensorflow as tf

    flat = codes.flat_values
    space = matches_tf(SPACE, flat) | (flat == ord(METASPACE))
    starts = _word_starts_tf(codes, space)
    has_metaspace = tf.boolean_mask(is_after_tf(codes, space), starts)
    words = join_tf(codes, ~space, starts)
    return words.with_flat_values(tf.where(has_metaspace, METASPACE, "") + words.flat_values)


def _word_starts_tf(codes: tf.RaggedTensor, space: tf.Tensor) -> tf.Tensor:
    """Return which characters begin a token: the first of each word, and of each other cluster."""
    starts, bases = _cluster_starts_tf(codes, space)
    is_letter = matches_tf(WORD, bases)
    return starts & (~is_letter | is_after_tf(codes, ~is_letter))


def _cluster_starts_tf(codes: tf.RaggedTensor, space: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which characters begin a cluster, and the base of each character.

    The base of a mark is the character that it belongs to; other characters are their own base.

    Args:
        codes: Code points `(batch, (characters))`.
        space: bool `(n,)`: flat values that are white space.

    Returns:
        bool `(n,)` and int32 `(n,)`.
    """
    import tensorflow as tf

    flat = codes.flat_values
    is_first = is_after_tf(codes, space)
    is_base = is_first | ~matches_tf(EXTEND, flat)
    bases = tf.gather(tf.boolean_mask(flat, is_base), _count_tf(is_base) - 1)
    joins = (flat == _JOINER) & matches_tf(EMOJI, bases)
    is_joined = matches_tf(EMOJI, flat) & previous_tf(joins)
    # Regional indicators form pairs, counted from the first of each sequence.
    is_indicator = matches_tf(REGIONAL_INDICATOR, flat)
    begins = is_indicator & (is_first | ~previous_tf(is_indicator))
    places = tf.range(tf.size(flat))
    first_places = tf.gather(
        tf.concat([[0], tf.boolean_mask(places, begins)], 0), _count_tf(begins)
    )
    is_second = is_indicator & ((places - first_places) % 2 == 1)
    starts = is_base & ~space & (is_first | ~(is_joined | is_second))
    return starts, bases


def _count_tf(selected: tf.Tensor) -> tf.Tensor:
    """Return the number of True values up to each value of a bool tensor `(n,)`, int32 `(n,)`."""
    import tensorflow as tf

    return tf.cumsum(tf.cast(selected, tf.int32))

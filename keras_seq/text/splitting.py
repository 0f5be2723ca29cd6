"""Building blocks of tokenizers: tokens with offsets, and cuts of ragged code points."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf


class Token(NamedTuple):
    """Token with its offsets in the text: `text[start:end]`."""

    text: str
    start: int
    end: int


def split_by(pattern: str) -> Callable[[str], list[Token]]:
    """Return a function that returns the matches of a pattern in a text as tokens.

    >>> split_by("[a-z]+")("ab c")
    [Token(text='ab', start=0, end=2), Token(text='c', start=3, end=4)]

    Args:
        pattern: Regular expression.
    """
    compiled = re.compile(pattern)

    def split(text: str) -> list[Token]:
        return [Token(match.group(), *match.span()) for match in compiled.finditer(text)]

    return split


def row_ids_tf(ragged: tf.RaggedTensor) -> tf.Tensor:
    """Return the row of each flat value of a ragged tensor, `(n,)`.

    `tf.RaggedTensor.value_rowids` needs memory proportional to the number of rows times the longest
    row.
    """
    import tensorflow as tf

    return tf.searchsorted(
        ragged.row_limits(), tf.range(tf.size(ragged.flat_values, tf.int64)), "right", tf.int64
    )


def is_after_tf(codes: tf.RaggedTensor, selected: tf.Tensor) -> tf.Tensor:
    """Return which characters are the first of a text or follow a selected character.

    Args:
        codes: Code points `(batch, (characters))`.
        selected: bool `(n,)`: selected flat values.

    Returns:
        bool `(n,)`.
    """
    import tensorflow as tf

    rows = tf.concat([[-1], row_ids_tf(codes)], 0)
    return (rows[1:] != rows[:-1]) | previous_tf(selected)


def previous_tf(selected: tf.Tensor) -> tf.Tensor:
    """Return a bool tensor `(n,)` moved by one place; its first value is False."""
    import tensorflow as tf

    return tf.concat([[False], selected], 0)[:-1]


def join_tf(codes: tf.RaggedTensor, keep: tf.Tensor, starts: tf.Tensor) -> tf.RaggedTensor:
    """Join code points into tokens.

    Args:
        codes: Code points `(batch, (characters))`.
        keep: bool `(n,)`: flat values that belong to a token.
        starts: bool `(n,)`: flat values that begin a token.

    Returns:
        Ragged strings `(batch, (tokens))`.
    """
    import tensorflow as tf

    token_ids = tf.cumsum(tf.cast(starts, tf.int64)) - 1
    characters = tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(codes.flat_values, keep),
        tf.boolean_mask(token_ids, keep),
        tf.math.count_nonzero(starts),
        validate=False,
    )
    return tf.RaggedTensor.from_value_rowids(
        tf.strings.unicode_encode(characters, "UTF-8"),
        tf.boolean_mask(row_ids_tf(codes), starts),
        codes.nrows(),
        validate=False,
    )

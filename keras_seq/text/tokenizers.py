"""How a text becomes tokens: in Python, and with the same result in TensorFlow graphs.

Exported models load with TensorFlow alone, so that the graphs use no other package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from keras_seq._internal.errors import unknown_name
from keras_seq._internal.unicode import check_text
from keras_seq.text import code_points
from keras_seq.text.code_points import SPACE, WORD, matches_tf

if TYPE_CHECKING:
    import tensorflow as tf

METASPACE = "▁"
"""Character in place of a blank, at the beginning of a token of `word_metaspace`."""

_WORDS = re.compile(rf"{WORD}+|[^\w\s]|_")
_NOT_SPACE = re.compile(r"\S+")
_CHINESE_OR_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Token(NamedTuple):
    """A token, and its place in the text: `text[start:end]`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Tokenizer:
    """A way to cut texts into tokens, and to join tokens to a text.

    >>> [token.text for token in TOKENIZERS["word"]("Ada's cat.")]
    ['Ada', "'", 's', 'cat', '.']
    >>> TOKENIZERS["word_metaspace"].detokenize(["▁Ada", "'", "s", "▁cat", "."])
    "Ada's cat."

    Args:
        name: Name of the tokenizer.
        split: Function from a text to a list of `Token`.
        split_tf: Function from code points, a ragged int32 tensor `(batch, (characters))`, to
            tokens, a ragged string tensor `(batch, (tokens))`.
        separator: String between two tokens when they are joined.
        metaspace: Whether a token begins with `METASPACE` where a blank, or nothing, is before it.
    """

    name: str
    split: Callable[[str], list[Token]]
    split_tf: Callable[[tf.RaggedTensor], tf.RaggedTensor]
    separator: str = ""
    metaspace: bool = False

    def __call__(self, text: str, lowercase: bool = False) -> list[Token]:
        """Return the tokens of a text, with their places in it.

        Args:
            text: Text.
            lowercase: Whether to put the tokens into lower case.

        Raises:
            InputError: If the text contains half a surrogate pair.
        """
        # TensorFlow could not take such a text either.
        check_text(text, "the text")
        return self.split(code_points.lowercase(text) if lowercase else text)

    def tokenize_tf(self, texts: tf.Tensor, lowercase: bool = False) -> tf.RaggedTensor:
        """Return the tokens of texts, in a TensorFlow graph.

        Args:
            texts: Strings `(batch,)`.
            lowercase: As in `__call__`.

        Returns:
            Ragged strings `(batch, (tokens))`.
        """
        import tensorflow as tf

        codes = tf.strings.unicode_decode(texts, "UTF-8")
        if lowercase:
            codes = codes.with_flat_values(code_points.lowercase_tf(codes.flat_values))
        return self.split_tf(codes)

    def detokenize(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens.

        Args:
            tokens: Tokens.
        """
        text = self.separator.join(tokens)
        return text.replace(METASPACE, " ").strip(" ") if self.metaspace else text

    def append(self, text: str, tokens: Sequence[str]) -> str:
        """Return a text and the tokens that follow on it, as one text.

        >>> TOKENIZERS["word_metaspace"].append("The cat", ["s", "▁sleep"])
        'The cats sleep'

        Args:
            text: Text; it is not changed.
            tokens: Tokens that follow.
        """
        if not text:
            return self.detokenize(tokens)
        more = self.separator.join(tokens)
        if self.metaspace:
            return text + more.replace(METASPACE, " ")
        return text + (self.separator if tokens else "") + more

    def detokenize_tf(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Return the texts of tokens, in a TensorFlow graph.

        Args:
            tokens: Ragged strings `(batch, (tokens))`.

        Returns:
            Strings `(batch,)`.
        """
        import tensorflow as tf

        texts = tf.strings.reduce_join(tokens, axis=-1, separator=self.separator)
        if not self.metaspace:
            return texts
        return tf.strings.regex_replace(_blanks_tf(texts), "^ +| +$", "")

    def append_tf(self, texts: tf.Tensor, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Return texts and the tokens that follow on them, in a TensorFlow graph.

        Args:
            texts: Strings `(batch,)`.
            tokens: Ragged strings `(batch, (tokens))`.

        Returns:
            Strings `(batch,)`.
        """
        import tensorflow as tf

        more = tf.strings.reduce_join(tokens, axis=-1, separator=self.separator)
        more = tf.where(tokens.row_lengths() > 0, self.separator + more, more)
        more = _blanks_tf(more) if self.metaspace else more
        return tf.where(texts == "", self.detokenize_tf(tokens), texts + more)


def _blanks_tf(texts: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.strings.regex_replace(texts, METASPACE, " ")


def _split_by(pattern: re.Pattern[str]) -> Callable[[str], list[Token]]:
    """Return a function that makes a token of each match of a pattern."""

    def split(text: str) -> list[Token]:
        return [Token(match.group(), *match.span()) for match in pattern.finditer(text)]

    return split


def _split_characters(text: str) -> list[Token]:
    return [Token(character, i, i + 1) for i, character in enumerate(text)]


def _split_characters_nospace(text: str) -> list[Token]:
    return [token for token in _split_characters(text) if not token.text.isspace()]


def _split_metaspace(text: str) -> list[Token]:
    text = text.replace(METASPACE, " ")
    return [
        Token(METASPACE * (start == 0 or text[start - 1].isspace()) + match.group(), start, end)
        for match in _WORDS.finditer(text)
        for start, end in [match.span()]
    ]


def _characters_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    import tensorflow as tf

    return codes.with_flat_values(tf.strings.unicode_encode(codes.flat_values[:, None], "UTF-8"))


def _characters_nospace_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    keep = ~matches_tf(SPACE, codes.flat_values)
    return join_tf(codes, keep, keep)


def _words_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    space = matches_tf(SPACE, codes.flat_values)
    return join_tf(codes, ~space, _word_starts_tf(codes, space))


def _metaspace_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    import tensorflow as tf

    flat = codes.flat_values
    space = matches_tf(SPACE, flat) | (flat == ord(METASPACE))
    starts = _word_starts_tf(codes, space)
    marked = tf.boolean_mask(_after_tf(codes, space), starts)
    words = join_tf(codes, ~space, starts)
    return words.with_flat_values(tf.where(marked, METASPACE, "") + words.flat_values)


def _not_space_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    space = matches_tf(SPACE, codes.flat_values)
    return join_tf(codes, ~space, ~space & _after_tf(codes, space))


def _word_starts_tf(codes: tf.RaggedTensor, space: tf.Tensor) -> tf.Tensor:
    """Return which characters begin a token: of a word the first, and all that are in no word."""
    word = matches_tf(WORD, codes.flat_values)
    return ~space & (~word | _after_tf(codes, ~word))


def _after_tf(codes: tf.RaggedTensor, chosen: tf.Tensor) -> tf.Tensor:
    """Return which characters come after one that is chosen, or are the first of a text."""
    import tensorflow as tf

    rows = tf.concat([[-1], row_ids_tf(codes)], 0)
    return (rows[1:] != rows[:-1]) | tf.concat([[False], chosen], 0)[:-1]


def row_ids_tf(ragged: tf.RaggedTensor) -> tf.Tensor:
    """Return the row of each flat value of a ragged tensor, `(n,)`.

    `value_rowids` of TensorFlow needs memory for all rows times the longest.
    """
    import tensorflow as tf

    return tf.searchsorted(
        ragged.row_limits(), tf.range(tf.size(ragged.flat_values, tf.int64)), "right", tf.int64
    )


def join_tf(codes: tf.RaggedTensor, keep: tf.Tensor, starts: tf.Tensor) -> tf.RaggedTensor:
    """Return tokens of code points: those of one text that are kept, from one start to the next.

    Args:
        codes: Code points `(batch, (characters))`.
        keep: Which of their flat values belong to a token, `(n,)`.
        starts: Which of these begin one, `(n,)`.
    """
    import tensorflow as tf

    numbers = tf.cumsum(tf.cast(starts, tf.int64)) - 1
    characters = tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(codes.flat_values, keep),
        tf.boolean_mask(numbers, keep),
        tf.math.count_nonzero(starts),
        validate=False,
    )
    return tf.RaggedTensor.from_value_rowids(
        tf.strings.unicode_encode(characters, "UTF-8"),
        tf.boolean_mask(row_ids_tf(codes), starts),
        codes.nrows(),
        validate=False,
    )


TOKENIZERS: dict[str, Tokenizer] = {
    tokenizer.name: tokenizer
    for tokenizer in (
        Tokenizer("char", _split_characters, _characters_tf),
        Tokenizer("char_nospace", _split_characters_nospace, _characters_nospace_tf),
        Tokenizer("word", _split_by(_WORDS), _words_tf, " "),
        Tokenizer("word_metaspace", _split_metaspace, _metaspace_tf, metaspace=True),
        Tokenizer("whitespace", _split_by(_NOT_SPACE), _not_space_tf, " "),
    )
}
"""Tokenizers by name. Their tokens are

- `char`: characters,
- `char_nospace`: characters that are not white space,
- `word`: runs of letters and digits, and every other character that is not white space,
- `word_metaspace`: the same; `METASPACE` before a token says that a blank, or nothing, is there,
- `whitespace`: what stands between white space.
"""


def check_tokenizer(name: str) -> str:
    """Return the name of a tokenizer if the tokenizer exists.

    Args:
        name: A key of `TOKENIZERS`, or "wordpiece".

    Raises:
        InputError: If no tokenizer has that name.
    """
    if name not in TOKENIZERS and name != "wordpiece":
        raise unknown_name("tokenizer", name, [*TOKENIZERS, "wordpiece"])
    return name


def has_chinese_or_japanese(text: str) -> bool:
    """Return whether there is Chinese or Japanese in a text."""
    return bool(_CHINESE_OR_JAPANESE.search(text))

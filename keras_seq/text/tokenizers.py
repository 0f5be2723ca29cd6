"""Tokenizers with equal results in Python and in TensorFlow graphs.

The graphs use TensorFlow only, so exported models need no other package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_seq._internal.errors import unknown_name
from keras_seq._internal.unicode import check_text
from keras_seq.text import code_points
from keras_seq.text.code_points import SPACE, matches_tf
from keras_seq.text.penn_treebank import split_penn_treebank, split_penn_treebank_tf
from keras_seq.text.splitting import Token, is_after_tf, join_tf, split_by
from keras_seq.text.words import (
    METASPACE,
    split_clusters,
    split_clusters_tf,
    split_metaspace,
    split_metaspace_tf,
    split_words,
    split_words_tf,
)

if TYPE_CHECKING:
    import tensorflow as tf

LEARNED = "learned"
"""Name of the tokenizer of a `keras_seq.text.split_rule.SplitRule`."""
TRAINED = ("wordpiece", LEARNED)
"""Tokenizers that depend on training data; see `keras_seq.text.subwords.get_tokenizer`."""

_CHINESE_OR_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Tokenizer:
    """Tokenizer that splits texts into tokens and joins tokens into texts.

    >>> [token.text for token in TOKENIZERS["word"]("Ada's cat.")]
    ['Ada', "'", 's', 'cat', '.']
    >>> TOKENIZERS["word_metaspace"].detokenize(["▁Ada", "'", "s", "▁cat", "."])
    "Ada's cat."

    Args:
        name: Name of the tokenizer.
        split: Function from a text to a list of `Token`.
        split_tf: Function from code points, a ragged int32 tensor `(batch, (characters))`, to
            tokens, a ragged string tensor `(batch, (tokens))`.
        separator: String between joined tokens.
        metaspace: If True, tokens at the beginning of the text or after a space begin with
            `METASPACE`.
    """

    name: str
    split: Callable[[str], list[Token]]
    split_tf: Callable[[tf.RaggedTensor], tf.RaggedTensor]
    separator: str = ""
    metaspace: bool = False

    def __call__(self, text: str, lowercase: bool = False) -> list[Token]:
        """Return the tokens of a text, with their offsets.

        Args:
            text: Text.
            lowercase: If True, convert the tokens to lower case.

        Raises:
            InputError: If the text contains an unpaired surrogate, which UTF-8 cannot encode.
        """
        check_text(text, "the text")
        return self.split(code_points.lowercase(text) if lowercase else text)

    def tokenize_tf(self, texts: tf.Tensor, lowercase: bool = False) -> tf.RaggedTensor:
        """Return the tokens of texts, in a TensorFlow graph.

        Args:
            texts: Strings `(batch,)`.
            lowercase: If True, convert the tokens to lower case.

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
        """Return a text continued by tokens.

        >>> TOKENIZERS["word_metaspace"].append("The cat", ["s", "▁sleep"])
        'The cats sleep'

        Args:
            text: Beginning of the result.
            tokens: Tokens to append.
        """
        if not text:
            return self.detokenize(tokens)
        continuation = self.separator.join(tokens)
        if self.metaspace:
            return text + continuation.replace(METASPACE, " ")
        return text + (self.separator if tokens else "") + continuation

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
        return tf.strings.regex_replace(_metaspace_to_space_tf(texts), "^ +| +$", "")

    def append_tf(self, texts: tf.Tensor, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Return texts continued by tokens, in a TensorFlow graph.

        Args:
            texts: Strings `(batch,)`.
            tokens: Ragged strings `(batch, (tokens))`.

        Returns:
            Strings `(batch,)`.
        """
        import tensorflow as tf

        joined = tf.strings.reduce_join(tokens, axis=-1, separator=self.separator)
        joined = tf.where(tokens.row_lengths() > 0, self.separator + joined, joined)
        joined = _metaspace_to_space_tf(joined) if self.metaspace else joined
        return tf.where(texts == "", self.detokenize_tf(tokens), texts + joined)


def _metaspace_to_space_tf(texts: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.strings.regex_replace(texts, METASPACE, " ")


def _split_characters(text: str) -> list[Token]:
    return [Token(character, i, i + 1) for i, character in enumerate(text)]


def _characters_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    import tensorflow as tf

    return codes.with_flat_values(tf.strings.unicode_encode(codes.flat_values[:, None], "UTF-8"))


def _not_space_tf(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    space = matches_tf(SPACE, codes.flat_values)
    return join_tf(codes, ~space, ~space & is_after_tf(codes, space))


TOKENIZERS: dict[str, Tokenizer] = {
    tokenizer.name: tokenizer
    for tokenizer in (
        Tokenizer("char", _split_characters, _characters_tf),
        Tokenizer("char_nospace", split_clusters, split_clusters_tf),
        Tokenizer("word", split_words, split_words_tf, " "),
        Tokenizer("word_metaspace", split_metaspace, split_metaspace_tf, metaspace=True),
        Tokenizer("whitespace", split_by(r"\S+"), _not_space_tf, " "),
        Tokenizer("penn_treebank", split_penn_treebank, split_penn_treebank_tf, " "),
    )
}
"""Tokenizers by name. Their tokens are:

- `char`: code points. A generator that writes them needs no token for each letter with its marks.
- `char_nospace`: characters as readers see them, that is, with their combining marks, and emoji
  sequences, but not white space; see `words`. Each can have a tag.
- `word`: sequences of letters and digits with their combining marks, and every other character of
  `char_nospace`.
- `word_metaspace`: as `word`, with `METASPACE` at the beginning of tokens that follow white space
  or begin the text.
- `whitespace`: sequences of characters that are not white space.
- `penn_treebank`: those of the Penn Treebank for one sentence; see `penn_treebank`.
"""


def check_tokenizer(name: str) -> str:
    """Check the name of a tokenizer, and return it.

    Args:
        name: A key of `TOKENIZERS`, or one of `TRAINED`.

    Raises:
        InputError: If no tokenizer has that name.
    """
    if name not in TOKENIZERS and name not in TRAINED:
        raise unknown_name("tokenizer", name, [*TOKENIZERS, *TRAINED])
    return name


def has_chinese_or_japanese(text: str) -> bool:
    """Return whether a text contains Chinese or Japanese characters."""
    return bool(_CHINESE_OR_JAPANESE.search(text))

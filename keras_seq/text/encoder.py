"""Texts to ids and back: in Python, and with the same result in TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.text import code_points
from keras_seq.text.encoder_in_graphs import EncodedTexts, EncoderInGraphs
from keras_seq.text.subwords import get_tokenizer, train_subwords
from keras_seq.text.tokenizers import METASPACE, Token, Tokenizer, check_tokenizer
from keras_seq.text.vocabulary import END, PADDING, UNKNOWN, build_vocabulary

SPECIAL = (PADDING, UNKNOWN, END)
"""Tokens that are in no vocabulary."""

Text: TypeAlias = str | Sequence[str]
"""A text, or the list of its tokens."""


class TextEncoder(EncoderInGraphs):
    """Tokenizer, vocabulary and case of texts, which become ids and back.

    The id 0 is padding, 1 is that of all tokens that are not in the vocabulary, and 2 that of the
    end, if there is one. Wherever a text is taken, the list of its tokens will do; it is not
    tokenized then, but put into lower case if the encoder does so.

    Every method whose name ends in `_tf` does the same in a TensorFlow graph: for any text that
    Unicode can write, tokens and ids are equal to those in Python.

    >>> encoder = TextEncoder.from_examples(["The cat sat.", "The dog sat."], lowercase=True)
    >>> encoder.vocabulary
    ['.', 'sat', 'the', 'cat', 'dog']
    >>> encoder.encode("A cat sat.")
    [1, 5, 3, 2]
    >>> encoder.decode([4, 6, 3])
    'the dog sat'

    Args:
        vocabulary: Tokens that have an id, in the order of their ids.
        tokenizer: Name of the tokenizer, see `keras_seq.text.tokenizers.TOKENIZERS`; or
            "wordpiece", which cuts words into the longest pieces that are in the vocabulary.
        lowercase: Whether to put tokens into lower case, one character for one.
        end: Whether there is a token for the end of a text, `<EOS>`. Models that write need one.

    Raises:
        InputError: If the vocabulary is empty, names a token twice, or names a special token; if
            no tokenizer has that name.
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
        tokenizer: str = "word",
        lowercase: bool = False,
        end: bool = False,
    ) -> None:
        self.vocabulary = list(vocabulary)
        self.tokenizer = check_tokenizer(tokenizer)
        self.lowercase = lowercase
        special = [PADDING, UNKNOWN, *([END] if end else [])]
        self.end_id = special.index(END) if end else None
        self.tokens = [*special, *self.vocabulary]
        self._ids = {token: id_ for id_, token in enumerate(self.tokens)}
        self._check()
        # Text that spells a special token is text.
        self._word_ids = {token: self._ids[token] for token in self.vocabulary}
        self._listed_ids = {**self._word_ids, **({END: self._ids[END]} if end else {})}
        self._tokenizer = get_tokenizer(tokenizer, self.vocabulary)

    def _check(self) -> None:
        if not self.vocabulary:
            raise InputError("A TextEncoder needs at least one token in its vocabulary.")
        for token in self.vocabulary:
            if not isinstance(token, str) or not token:
                raise InputError(f"A token of a vocabulary is a string, not empty, got {token!r}.")
            if token in SPECIAL:
                raise InputError(
                    f"The vocabulary has {token}, which the encoder adds itself: leave it out."
                )
        if len(self._ids) < len(self.tokens):
            seen: set[str] = set()
            twice = next(t for t in self.vocabulary if t in seen or seen.add(t))  # type: ignore[func-returns-value]
            raise InputError(f"The vocabulary has the token {twice!r} twice.")

    @classmethod
    def from_examples(
        cls,
        examples: Iterable[Text],
        tokenizer: str = "word",
        lowercase: bool = False,
        *,
        min_count: int = 1,
        max_size: int | None = None,
        end: bool = False,
    ) -> TextEncoder:
        """Return an encoder whose vocabulary is the tokens of examples, the most frequent first.

        >>> TextEncoder.from_examples(["abba", "acb"], tokenizer="char", max_size=2).vocabulary
        ['a', 'b']

        Args:
            examples: Texts, or lists of their tokens.
            tokenizer: As for `TextEncoder`. The pieces of "wordpiece" are learned from the texts,
                which needs SentencePiece.
            lowercase: As for `TextEncoder`.
            min_count: How often a token must occur. If no token does, all are taken.
            max_size: Number of tokens at most; all by default. "wordpiece" needs it.
            end: As for `TextEncoder`.

        Raises:
            InputError: If there is no token in the examples; if "wordpiece" has no `max_size`, or
                a smaller one than there are characters.
        """
        examples = list(examples)
        name = check_tokenizer(tokenizer)
        if name == "wordpiece":
            vocabulary = _train_wordpieces(examples, lowercase, max_size)
        else:
            split = get_tokenizer(name)
            tokens = [t for text in examples for t in _tokenize(text, split, lowercase)]
            tokens = [token for token in tokens if token not in SPECIAL]
            vocabulary = build_vocabulary(tokens, min_count, max_size)
            vocabulary = vocabulary or build_vocabulary(tokens, 1, max_size)
        if not vocabulary:
            raise InputError(f"There is no token in the {len(examples)} examples.")
        return cls(vocabulary, name, lowercase, end)

    def __repr__(self) -> str:
        return (
            f"TextEncoder({len(self.vocabulary)} tokens, tokenizer={self.tokenizer!r}, "
            f"lowercase={self.lowercase}, end={self.end_id is not None})"
        )

    @property
    def vocab_size(self) -> int:
        """Number of ids, those of the special tokens included."""
        return len(self.tokens)

    @property
    def start_id(self) -> int | None:
        """Id that a model that writes reads first: `end_id`."""
        return self.end_id

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` makes an equal encoder of, as JSON can hold it."""
        return {
            "vocabulary": self.vocabulary,
            "tokenizer": self.tokenizer,
            "lowercase": self.lowercase,
            "end": self.end_id is not None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextEncoder:
        """Return the encoder of a configuration.

        Args:
            config: What `get_config` returned.
        """
        return cls(**config)

    # From texts to tokens and ids.

    def tokenize(self, text: Text) -> list[str]:
        """Return the tokens of a text.

        Args:
            text: Text, or the list of its tokens.

        Raises:
            InputError: If the text contains half a surrogate pair.
        """
        return _tokenize(text, self._tokenizer, self.lowercase)

    def tokenize_with_offsets(self, text: str) -> list[Token]:
        """Return the tokens of a text, each with its `start` and `end` in the text.

        >>> TextEncoder(["a"], lowercase=True).tokenize_with_offsets("Ada!")
        [Token(text='ada', start=0, end=3), Token(text='!', start=3, end=4)]

        Args:
            text: Text.

        Raises:
            InputError: If the text contains half a surrogate pair.
        """
        return self._tokenizer(text, self.lowercase)

    def spellings(self, text: Text) -> list[str]:
        """Return how each token is written in a text: in its case, and without `METASPACE`.

        >>> TextEncoder(["a"], lowercase=True).spellings("Ada met")
        ['Ada', 'met']

        Args:
            text: Text, or the list of its tokens.
        """
        if isinstance(text, str):
            return [text[start:end] for _, start, end in self.tokenize_with_offsets(text)]
        mark = METASPACE if self._tokenizer.metaspace else ""
        return [token.removeprefix(mark) for token in text]

    def encode(self, text: Text) -> list[int]:
        """Return the ids of the tokens of a text.

        Args:
            text: Text, or the list of its tokens. In a list, `<EOS>` is the end.
        """
        ids = self._word_ids if isinstance(text, str) else self._listed_ids
        return [ids.get(token, self.unk_id) for token in self.tokenize(text)]

    def encode_batch(
        self,
        texts: Iterable[Text],
        *,
        start: bool = False,
        end: bool = False,
        unk_if_empty: bool = False,
        length: int | None = None,
    ) -> EncodedTexts:
        """Return the ids of several texts, padded at the end.

        >>> TextEncoder(["a", "b"]).encode_batch(["a b", "b"]).ids.tolist()
        [[2, 3], [3, 0]]

        Args:
            texts: Texts, or lists of their tokens.
            start: Whether to put the id of the start before each text.
            end: Whether to put the id of the end after each text.
            unk_if_empty: Whether a text without tokens is one unknown token.
            length: Ids of a row; those of the longest text by default. The rest is cut off.

        Raises:
            InputError: If `texts` is one text, or if start or end is wanted and there is none.
        """
        if isinstance(texts, str):
            raise InputError(f"Expected a list of texts, got one text: {excerpt(texts)!r}.")
        before, after = self._frame(start, end)
        empty = [self.unk_id] if unk_if_empty else []
        rows: list[list[int]] = []
        rows += ([*before, *(self.encode(text) or empty), *after] for text in texts)
        if length is None:
            length = max(map(len, rows), default=0)
        ids = np.full((len(rows), length), self.pad_id, "int32")
        for slots, row in zip(ids, rows, strict=True):
            slots[: len(row)] = row[:length]
        lengths = np.array([min(len(row), length) for row in rows], "int32")
        return EncodedTexts(ids, lengths)

    # From ids to tokens and texts.

    def ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ids, without padding and end.

        Args:
            ids: Ids.

        Raises:
            InputError: If there is no such id.
        """
        found = []
        for id_ in ids:
            if not 0 <= id_ < self.vocab_size:
                raise InputError(f"There is no id {id_}: ids are below {self.vocab_size}.")
            if id_ not in (self.pad_id, self.end_id):
                found.append(self.tokens[id_])
        return found

    def detokenize(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens.

        Args:
            tokens: Tokens.
        """
        return self._tokenizer.detokenize(tokens)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, without padding and end.

        Args:
            ids: Ids.
        """
        return self.detokenize(self.ids_to_tokens(ids))

    def append(self, text: str, tokens: Sequence[str]) -> str:
        """Return a text and the tokens that follow on it, as one text.

        Args:
            text: Text; it is not changed.
            tokens: Tokens that follow.
        """
        return self._tokenizer.append(text, tokens)


def _tokenize(text: Text, tokenizer: Tokenizer, lower: bool) -> list[str]:
    """Return the tokens of a text, or of a list of tokens these."""
    if isinstance(text, str):
        return [token.text for token in tokenizer(text, lower)]
    if not lower:
        return list(text)
    return [token if token == END else code_points.lowercase(token) for token in text]


def _train_wordpieces(examples: Sequence[Text], lowercase: bool, max_size: int | None) -> list[str]:
    """Return the vocabulary of an encoder into wordpieces."""
    if max_size is None:
        raise InputError("The tokenizer wordpiece needs a max_size, such as 8000.")
    texts = []
    for text in examples:
        if not isinstance(text, str):
            raise InputError("Wordpieces are learned from texts, not from lists of tokens.")
        texts.append(code_points.lowercase(text) if lowercase else text)
    return train_subwords(texts, max_size)

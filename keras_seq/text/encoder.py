"""Text encoder: texts to ids and back, in Python and in TensorFlow graphs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from keras_seq._internal.errors import InputError, check_list, excerpt
from keras_seq.text import code_points
from keras_seq.text.encoder_tf import EncodedTexts, TextEncoderTFMixin
from keras_seq.text.split_rule import SplitRule
from keras_seq.text.splitting import Token
from keras_seq.text.subwords import get_tokenizer, train_subwords
from keras_seq.text.tokenizers import METASPACE, Tokenizer, check_tokenizer
from keras_seq.text.vocabulary import END, PADDING, UNKNOWN, rank_tokens

SPECIAL = (PADDING, UNKNOWN, END)
"""Special tokens, which must not be in a vocabulary."""

Text: TypeAlias = str | Sequence[str]
"""Text, or list of its tokens."""


class TextEncoder(TextEncoderTFMixin):
    """Text encoder: a tokenizer, a vocabulary, and optional conversion to lower case.

    Id 0 is padding, and id 1 is any token that is not in the vocabulary. With `end=True`, id 2 is
    the end token. Methods that take a text also take a list of its tokens, which is not tokenized
    but is converted to lower case.

    Methods whose names end in `_tf` give the same results in TensorFlow graphs, for every Unicode
    text.

    >>> encoder = TextEncoder.from_examples(["The cat sat.", "The dog sat."], lowercase=True)
    >>> encoder.vocabulary
    ['.', 'sat', 'the', 'cat', 'dog']
    >>> encoder.encode("A cat sat.")
    [1, 5, 3, 2]
    >>> encoder.decode([4, 6, 3])
    'the dog sat'

    Args:
        vocabulary: Tokens in the order of their ids, without special tokens.
        tokenizer: A key of `keras_seq.text.tokenizers.TOKENIZERS`; "wordpiece", which splits words
            into the longest pieces in the vocabulary; or "learned", which applies `split_rule`.
        lowercase: If True, convert tokens to lower case.
        end: If True, add the end token `<EOS>`, which generative models need.
        split_rule: Rule of the tokenizer "learned", as `keras_seq.text.choose_tokenizer` returns
            it.

    Raises:
        InputError: If the vocabulary is empty, has duplicates or contains a special token, if no
            tokenizer has that name, or if `split_rule` does not fit the tokenizer.
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
        tokenizer: str = "word",
        lowercase: bool = False,
        end: bool = False,
        split_rule: SplitRule | None = None,
    ) -> None:
        self.vocabulary = list(vocabulary)
        self.tokenizer = check_tokenizer(tokenizer)
        self.lowercase = lowercase
        special = [PADDING, UNKNOWN, *([END] if end else [])]
        self.end_id = special.index(END) if end else None
        self.tokens = [*special, *self.vocabulary]
        self._ids = {token: id_ for id_, token in enumerate(self.tokens)}
        self._check()
        # "<EOS>" in a text is ordinary text; only in a list of tokens is it the end token.
        self._word_ids = {token: self._ids[token] for token in self.vocabulary}
        self._listed_ids = {**self._word_ids, **({END: self._ids[END]} if end else {})}
        self.split_rule = split_rule
        self.text_tokenizer = get_tokenizer(tokenizer, self.vocabulary, split_rule)

    def _check(self) -> None:
        if not self.vocabulary:
            raise InputError("A TextEncoder needs at least one token in its vocabulary.")
        for token in self.vocabulary:
            if not isinstance(token, str) or not token:
                raise InputError(
                    f"Tokens of a vocabulary must be non-empty strings, got {token!r}."
                )
            if token in SPECIAL:
                raise InputError(
                    f"The vocabulary contains {token}, which TextEncoder adds: remove it."
                )
        if len(self._ids) < len(self.tokens):
            seen: set[str] = set()
            repeated = next(t for t in self.vocabulary if t in seen or seen.add(t))  # type: ignore[func-returns-value]
            raise InputError(f"The vocabulary contains the token {repeated!r} twice.")

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
        split_rule: SplitRule | None = None,
    ) -> TextEncoder:
        """Create an encoder with the tokens of examples as its vocabulary, most frequent first.

        >>> TextEncoder.from_examples(["abba", "acb"], tokenizer="char", max_size=2).vocabulary
        ['a', 'b']

        Args:
            examples: Texts, or lists of their tokens.
            tokenizer: See `TextEncoder`. "wordpiece" learns its pieces from the texts by
                SentencePiece.
            lowercase: See `TextEncoder`.
            min_count: Minimum number of occurrences of a token. Ignored if no token reaches it.
            max_size: Maximum number of tokens. Default: no maximum. Required for "wordpiece".
            end: See `TextEncoder`.
            split_rule: See `TextEncoder`.

        Raises:
            InputError: If the examples are one string or contain no tokens, or if `max_size` is
                missing for "wordpiece" or too small for the number of distinct characters.
        """
        check_list(examples, "texts")
        examples = list(examples)
        name = check_tokenizer(tokenizer)
        if name == "wordpiece":
            vocabulary = _train_wordpieces(examples, lowercase, max_size)
        else:
            tokenize = get_tokenizer(name, split_rule=split_rule)
            lists = (_tokenize(text, tokenize, lowercase) for text in examples)
            counts = Counter(itertools.chain.from_iterable(lists))
            for special in SPECIAL:
                counts.pop(special, None)
            vocabulary = rank_tokens(counts, min_count, max_size)
            vocabulary = vocabulary or rank_tokens(counts, 1, max_size)
        if not vocabulary:
            raise InputError(f"The {len(examples)} examples contain no tokens.")
        return cls(vocabulary, name, lowercase, end, split_rule)

    def __repr__(self) -> str:
        return (
            f"TextEncoder({len(self.vocabulary)} tokens, tokenizer={self.tokenizer!r}, "
            f"lowercase={self.lowercase}, end={self.end_id is not None})"
        )

    @property
    def vocab_size(self) -> int:
        """Number of ids, including those of the special tokens."""
        return len(self.tokens)

    @property
    def start_id(self) -> int | None:
        """Id of the start token of generating models, which equals `end_id`."""
        return self.end_id

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, serializable to JSON."""
        rule = {} if self.split_rule is None else {"split_rule": self.split_rule.get_config()}
        return {
            "vocabulary": self.vocabulary,
            "tokenizer": self.tokenizer,
            "lowercase": self.lowercase,
            "end": self.end_id is not None,
            **rule,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextEncoder:
        """Create an encoder from the configuration that `get_config` returns.

        Args:
            config: Arguments of the constructor.
        """
        if rule := config.get("split_rule"):
            config = {**config, "split_rule": SplitRule.from_config(rule)}
        return cls(**config)

    # Texts to tokens and ids.

    def tokenize(self, text: Text) -> list[str]:
        """Return the tokens of a text.

        Args:
            text: Text, or list of its tokens.

        Raises:
            InputError: If the text contains an unpaired surrogate, or is neither a string nor a
                list of strings.
        """
        return _tokenize(text, self.text_tokenizer, self.lowercase)

    def tokenize_with_offsets(self, text: str) -> list[Token]:
        """Return the tokens of a text with their offsets `start` and `end`.

        >>> TextEncoder(["a"], lowercase=True).tokenize_with_offsets("Ada!")
        [Token(text='ada', start=0, end=3), Token(text='!', start=3, end=4)]

        Args:
            text: Text.

        Raises:
            InputError: If the text contains an unpaired surrogate.
        """
        return self.text_tokenizer(text, self.lowercase)

    def spellings(self, text: Text) -> list[str]:
        """Return the original spelling of each token: in its case, and without `METASPACE`.

        >>> TextEncoder(["a"], lowercase=True).spellings("Ada met")
        ['Ada', 'met']

        Args:
            text: Text, or list of its tokens.
        """
        if isinstance(text, str):
            return [text[start:end] for _, start, end in self.tokenize_with_offsets(text)]
        prefix = METASPACE if self.text_tokenizer.metaspace else ""
        return [token.removeprefix(prefix) for token in text]

    def encode(self, text: Text) -> list[int]:
        """Return the ids of the tokens of a text.

        Args:
            text: Text, or list of its tokens. In a list, "<EOS>" is the end token.
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
        """Return the ids of several texts, padded at the end, and their lengths.

        >>> TextEncoder(["a", "b"]).encode_batch(["a b", "b"]).ids.tolist()
        [[2, 3], [3, 0]]

        Args:
            texts: Texts, or lists of their tokens.
            start: If True, insert the start id before each text.
            end: If True, append the end id to each text.
            unk_if_empty: If True, encode a text without tokens as one unknown token.
            length: Number of ids per row; longer texts are truncated. Default: length of the
                longest text.

        Raises:
            InputError: If `texts` is one text, or if `start` or `end` is True and the encoder has
                no end token.
        """
        check_list(texts, "texts")
        prefix, suffix = self._start_and_end_ids(start, end)
        empty = [self.unk_id] if unk_if_empty else []
        rows = [[*prefix, *(self.encode(text) or empty), *suffix] for text in texts]
        if length is None:
            length = max(map(len, rows), default=0)
        ids = np.full((len(rows), length), self.pad_id, "int32")
        for slots, row in zip(ids, rows, strict=True):
            slots[: len(row)] = row[:length]
        lengths = np.array([min(len(row), length) for row in rows], "int32")
        return EncodedTexts(ids, lengths)

    # Ids to tokens and texts.

    def ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ids, without padding and end tokens.

        Args:
            ids: Ids, from 0 to `vocab_size - 1`.

        Raises:
            InputError: If an id is out of range.
        """
        tokens = []
        for id_ in ids:
            if not 0 <= id_ < self.vocab_size:
                raise InputError(f"Id {id_} is out of range: ids are 0 to {self.vocab_size - 1}.")
            if id_ not in (self.pad_id, self.end_id):
                tokens.append(self.tokens[id_])
        return tokens

    def detokenize(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens.

        Args:
            tokens: Tokens.

        Raises:
            InputError: If `tokens` is a text.
        """
        check_list(tokens, "tokens")
        return self.text_tokenizer.detokenize(tokens)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, without padding and end tokens.

        Args:
            ids: Ids, from 0 to `vocab_size - 1`.
        """
        return self.detokenize(self.ids_to_tokens(ids))

    def append(self, text: str, tokens: Sequence[str]) -> str:
        """Return a text continued by tokens.

        Args:
            text: Beginning of the result.
            tokens: Tokens to append.
        """
        return self.text_tokenizer.append(text, tokens)


def _tokenize(text: Text, tokenizer: Tokenizer, lowercase: bool) -> list[str]:
    """Return the tokens of a text, or a list of tokens in the required case."""
    if isinstance(text, str):
        return [token.text for token in tokenizer(text, lowercase)]
    is_list = isinstance(text, Iterable) and not isinstance(text, bytes)
    if not is_list or not all(issubclass(kind, str) for kind in set(map(type, text))):
        raise InputError(
            f"Expected a text, or a list of its tokens as strings, got {excerpt(repr(text))}."
        )
    if not lowercase:
        return list(text)
    return [token if token == END else code_points.lowercase(token) for token in text]


def _train_wordpieces(examples: Sequence[Text], lowercase: bool, max_size: int | None) -> list[str]:
    """Return the vocabulary of an encoder with the tokenizer "wordpiece"."""
    if max_size is None:
        raise InputError("The tokenizer wordpiece requires max_size, such as 8000.")
    texts = []
    for text in examples:
        if not isinstance(text, str):
            raise InputError(
                "Wordpieces are learned from texts, not from lists of tokens: pass strings."
            )
        texts.append(code_points.lowercase(text) if lowercase else text)
    return train_subwords(texts, max_size)

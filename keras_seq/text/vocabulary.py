"""Vocabularies: tokens and their ids."""

from __future__ import annotations

import collections
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from keras_seq._internal.errors import check_list
from keras_seq._internal.types import Array

PADDING, UNKNOWN, END = "<PAD>", "<UNK>", "<EOS>"
"""Special tokens. `END` is also the start token of generative models."""

PADDING_ID, UNKNOWN_ID = 0, 1

AnyToken = TypeVar("AnyToken", bound=Hashable)


class Vocabulary:
    """Token-to-id mapping with the special tokens `<PAD>` (0) and `<UNK>` (1).

    >>> vocabulary = Vocabulary(["the", "cat"])
    >>> vocabulary.token_to_id("cat"), vocabulary.token_to_id("dog")
    (3, 1)
    >>> vocabulary.encode([["the", "cat"], ["cat"]])
    array([[2, 3],
           [3, 0]], dtype=int32)

    Args:
        tokens: Known tokens, in the order of their ids, which begin at 2.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = [PADDING, UNKNOWN, *tokens]
        self._ids = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def token_to_id(self, token: str) -> int:
        """Return the id of a token, or that of `<UNK>` if the token is unknown."""
        return self._ids.get(token, UNKNOWN_ID)

    def encode(self, sentences: Sequence[Sequence[str]], length: int | None = None) -> Array:
        """Return the ids of tokenized sentences, padded at the end.

        Args:
            sentences: Lists of tokens.
            length: Number of tokens per row; longer sentences are truncated. Default: the number
                of tokens of the longest sentence.

        Returns:
            int32 `(sentences, length)`.

        Raises:
            InputError: If a sentence is a text rather than a list of tokens.
        """
        for sentence in sentences:
            check_list(sentence, "tokens")
        if length is None:
            length = max(map(len, sentences), default=0)
        ids = np.full((len(sentences), length), PADDING_ID, "int32")
        for row, sentence in zip(ids, sentences, strict=True):
            row_ids = [self.token_to_id(token) for token in sentence[:length]]
            row[: len(row_ids)] = row_ids
        return ids


def build_vocabulary(
    tokens: Iterable[AnyToken], min_count: int = 1, max_size: int | None = None
) -> list[AnyToken]:
    """Return the distinct tokens by descending count, ties in alphabetical order.

    Args:
        tokens: Tokens with repetitions: strings, or other hashable and sortable objects.
        min_count: Minimum number of occurrences.
        max_size: Maximum number of tokens to return. Default: no maximum.
    """
    return rank_tokens(collections.Counter(tokens), min_count, max_size)


def rank_tokens(
    counts: Mapping[AnyToken, int], min_count: int = 1, max_size: int | None = None
) -> list[AnyToken]:
    """Return tokens by descending count, ties in alphabetical order.

    Args:
        counts: Number of occurrences of each token.
        min_count: As in `build_vocabulary`.
        max_size: As in `build_vocabulary`.
    """
    frequent = [(-count, token) for token, count in counts.items() if count >= min_count]
    return [token for _, token in sorted(frequent)[:max_size]]

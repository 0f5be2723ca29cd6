"""Alphabets: characters and their labels, for models that output characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_seq._internal.errors import InputError, check_list, excerpt
from keras_seq._internal.types import Array


class Alphabet:
    """Characters with labels from 1. Label 0 is padding and the CTC blank.

    >>> from keras_seq.text.alphabet import Alphabet
    >>> alphabet = Alphabet("ab ")
    >>> alphabet.encode(["ba", "a b"])
    array([[2, 1, 0],
           [1, 3, 2]], dtype=int32)
    >>> alphabet.decode([1, 3, 2])
    'a b'

    Args:
        characters: Distinct characters, in the order of their labels.
        owner: Subject of the error message, such as "A model".

    Raises:
        InputError: If there are no characters, or one occurs twice.
    """

    def __init__(self, characters: Iterable[str], owner: str = "An Alphabet") -> None:
        self.characters = "".join(characters)
        if not self.characters or len(set(self.characters)) < len(self.characters):
            raise InputError(
                f"{owner} needs an alphabet of distinct characters, got {self.characters!r}."
            )
        self._labels = {character: label for label, character in enumerate(self.characters, 1)}

    def encode(self, texts: Sequence[str]) -> Array:
        """Return the labels of the characters of several texts.

        Args:
            texts: Strings.

        Returns:
            int32 `(texts, max_length)`, padded with 0.

        Raises:
            InputError: If a text is not a string, or a character is not in the alphabet.
        """
        check_list(texts, "texts")
        for number, text in enumerate(texts, 1):
            if not isinstance(text, str):
                raise InputError(f"Text {number} must be a string, got {excerpt(repr(text))}.")
        labels = np.zeros((len(texts), max([1, *map(len, texts)])), "int32")
        for number, (row, text) in enumerate(zip(labels, texts, strict=True), 1):
            for i, character in enumerate(text):
                if character not in self._labels:
                    raise InputError(
                        f"Text {number}: character {i + 1}, {character!r}, is not in the "
                        f"alphabet {self.characters!r}."
                    )
                row[i] = self._labels[character]
        return labels

    def decode(self, labels: Iterable[int]) -> str:
        """Return the text of labels.

        Args:
            labels: Labels from 1, without padding.
        """
        return "".join(self.characters[label - 1] for label in labels)

"""Alphabets: characters and their labels, for models that write one character at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array


class Alphabet:
    """Characters with labels from 1. Label 0 is the padding, and the blank of CTC.

    >>> from keras_seq.text.alphabet import Alphabet
    >>> alphabet = Alphabet("ab ")
    >>> alphabet.encode(["ba", "a b"])
    array([[2, 1, 0],
           [1, 3, 2]], dtype=int32)
    >>> alphabet.decode([1, 3, 2])
    'a b'

    Args:
        characters: Different characters, in the order of their labels.
        owner: Object that needs the alphabet, for error messages.

    Raises:
        InputError: If there are no characters, or one occurs twice.
    """

    def __init__(self, characters: Iterable[str], owner: str = "An Alphabet") -> None:
        self.characters = "".join(characters)
        if not self.characters or len(set(self.characters)) < len(self.characters):
            raise InputError(
                f"{owner} needs an alphabet of different characters, got {self.characters!r}."
            )
        self._labels = {character: label for label, character in enumerate(self.characters, 1)}

    def encode(self, texts: Sequence[str]) -> Array:
        """Return the labels of the characters of texts.

        Args:
            texts: Strings.

        Returns:
            int32 `(texts, max_length)`, 0 after the end of each text.

        Raises:
            InputError: If a character is not in the alphabet. The message states the number of the
                text, from 1.
        """
        labels = np.zeros((len(texts), max([1, *map(len, texts)])), "int32")
        for number, (row, text) in enumerate(zip(labels, texts, strict=True), 1):
            for i, character in enumerate(text):
                if character not in self._labels:
                    raise InputError(
                        f"Text {number} has {character!r} at position {i + 1}, which is not in "
                        f"the alphabet {self.characters!r}."
                    )
                row[i] = self._labels[character]
        return labels

    def decode(self, labels: Iterable[int]) -> str:
        """Return the text of labels.

        Args:
            labels: Labels from 1, without padding.
        """
        return "".join(self.characters[label - 1] for label in labels)

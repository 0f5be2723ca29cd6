"""Letters and their classes, for models that write letter by letter."""

from collections.abc import Iterable, Sequence

import numpy as np

from keras_seq._internal.errors import InputError


class Alphabet:
    """Letters with their classes from 1 on; class 0 is the padding, and the blank of CTC.

    >>> from keras_seq.text.alphabet import Alphabet
    >>> alphabet = Alphabet("ab ")
    >>> alphabet.encode(["ba", "a b"])
    array([[2, 1, 0],
           [1, 3, 2]], dtype=int32)
    >>> alphabet.decode([1, 3, 2])
    'a b'

    Args:
        characters: Different letters, in the order of their classes.
        owner: Who needs the alphabet, for the message.

    Raises:
        InputError: If there are none, or one occurs twice.
    """

    def __init__(self, characters: Iterable[str], owner: str = "An Alphabet") -> None:
        self.characters = "".join(characters)
        if not self.characters or len(set(self.characters)) < len(self.characters):
            raise InputError(
                f"{owner} needs an alphabet of different letters, got {self.characters!r}."
            )
        self._classes = {letter: number for number, letter in enumerate(self.characters, 1)}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the classes of the letters of texts, int32 `(texts, letters)`, 0 for padding.

        Args:
            texts: Strings.

        Raises:
            InputError: If a letter is not in the alphabet. The message gives the number of its text
                from 1.
        """
        classes = np.zeros((len(texts), max([1, *map(len, texts)])), "int32")
        for number, (row, text) in enumerate(zip(classes, texts, strict=True), 1):
            for position, letter in enumerate(text):
                if letter not in self._classes:
                    raise InputError(
                        f"Text {number} has {letter!r} at position {position + 1}, which is not in "
                        f"the alphabet {self.characters!r}."
                    )
                row[position] = self._classes[letter]
        return classes

    def decode(self, labels: Iterable[int]) -> str:
        """Return the text of classes.

        Args:
            labels: Classes from 1 on.
        """
        return "".join(self.characters[label - 1] for label in labels)

"""Known words, and what may come next in a text of them."""

import numpy as np

from keras_seq._internal.errors import InputError


class Lexicon:
    """A prefix tree of words, asked as a language model is: `score_next` of `ctc_beam_search`.

    Log probabilities are 0 for a letter that leads to a word, for the blank between words and the
    end where a word is complete, and minus infinity for all else. A text may be empty.

    Args:
        words: Strings.
        alphabet: The letters, of which the first has the number 1.

    Raises:
        InputError: A word has a letter that is not in the alphabet.
    """

    def __init__(self, words, alphabet):
        numbers = {letter: number for number, letter in enumerate(alphabet, 1)}
        self._between = numbers.get(" ")
        self._rows = {(): np.full(len(alphabet) + 1, -np.inf)}
        for word in words:
            if unknown := [letter for letter in word if letter not in numbers]:
                raise InputError(
                    f"The word {word!r} of the lexicon has {unknown[0]!r}, which is not in the "
                    f"alphabet {alphabet!r}."
                )
            spelt = tuple(numbers[letter] for letter in word)
            for end, letter in enumerate(spelt):
                self._rows.setdefault(spelt[:end], np.full(len(alphabet) + 1, -np.inf))[letter] = 0
            whole = self._rows.setdefault(spelt, np.full(len(alphabet) + 1, -np.inf))
            whole[0] = 0
            if self._between is not None:
                whole[self._between] = 0
        self._first = self._rows[()].copy()
        self._first[0] = 0

    def __call__(self, beginnings):
        """What may come next of each, `(beginnings, letters + 1)`; column 0 is the end's.

        Args:
            beginnings: Tuples of letters from 1, none of which leads to no word.
        """
        return np.stack([self._row(text) for text in beginnings])

    def _row(self, text):
        if not text:
            return self._first
        word = text
        if self._between in text:
            word = text[len(text) - text[::-1].index(self._between) :]
        return self._rows[word]

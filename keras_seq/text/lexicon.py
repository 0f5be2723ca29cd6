"""Lexicons that restrict CTC decoding to known words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array


class Lexicon:
    """Prefix tree of known words, for the argument `score_next` of `ctc_beam_search`.

    The log probability is 0 for each label that continues a known word. After a complete word, it
    is also 0 for a space and for the end. Otherwise it is minus infinity. A text may be empty.

    >>> import numpy as np
    >>> from keras_seq.decoding import Lexicon, ctc_beam_search
    >>> lexicon = Lexicon(["ab", "b"], alphabet="ab")
    >>> lexicon([(1,)])  # "b" must follow "a"
    array([[-inf, -inf,   0.]])
    >>> log_probs = np.log([[0.1, 0.6, 0.3], [0.5, 0.4, 0.1]])
    >>> labels, score = ctc_beam_search(log_probs, beam_width=4, score_next=lexicon)
    >>> labels, float(np.exp(score).round(2))
    ((2,), 0.19)

    Args:
        words: Known words.
        alphabet: Distinct characters, in the order of their labels from 1. Without a space in the
            alphabet, a text is one word.

    Raises:
        InputError: If a word has a character that is not in the alphabet.
    """

    def __init__(self, words: Iterable[str], alphabet: Sequence[str]) -> None:
        labels = {character: label for label, character in enumerate(alphabet, 1)}
        self._space = labels.get(" ")
        self._log_probs: dict[tuple[int, ...], Array] = {}

        def row(prefix: tuple[int, ...]) -> Array:
            return self._log_probs.setdefault(prefix, np.full(len(alphabet) + 1, -np.inf))

        row(())
        for word in words:
            if unknown := [character for character in word if character not in labels]:
                raise InputError(
                    f"The word {word!r} of the lexicon contains {unknown[0]!r}, which is not in "
                    f"the alphabet {alphabet!r}."
                )
            spelling = tuple(labels[character] for character in word)
            for length, label in enumerate(spelling):
                row(spelling[:length])[label] = 0
            row(spelling)[0] = 0
            if self._space is not None:
                row(spelling)[self._space] = 0
        self._empty_text = row(()).copy()
        self._empty_text[0] = 0

    def __call__(self, prefixes: Iterable[tuple[int, ...]]) -> Array:
        """Return the log probabilities of the next label after each prefix.

        Args:
            prefixes: Tuples of labels from 1. Each begins a text of known words.

        Returns:
            float64 `(prefixes, characters + 1)`. Column 0 is the end.
        """
        return np.stack([self._next_log_probs(prefix) for prefix in prefixes])

    def _next_log_probs(self, prefix: tuple[int, ...]) -> Array:
        if not prefix:
            return self._empty_text
        if self._space is None or self._space not in prefix:
            return self._log_probs[prefix]
        last_word = prefix[len(prefix) - prefix[::-1].index(self._space) :]
        return self._log_probs[last_word]

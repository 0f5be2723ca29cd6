"""Lexicons that restrict CTC decoding to known words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array

START, NEXT_WORD = 0, 1
"""States of the automaton: before the first word, and after a space."""


class Automaton(NamedTuple):
    """Deterministic finite automaton over labels from 1. State 0 is the start."""

    transitions: Array
    """Next state, int32 `(states, labels + 1)`; 0 if the label is excluded. Column 0 is the CTC
    blank, which keeps the state."""
    labels: Array
    """Label of the transitions that lead to each state, int32 `(states,)`; 0 for the start."""
    is_accepting: Array
    """True for the states in which a text may end, bools `(states,)`."""


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
        words: Known words, without spaces.
        alphabet: Distinct characters, in the order of their labels from 1. Without a space in the
            alphabet, a text is one word.

    Raises:
        InputError: If a word contains a space, or a character that is not in the alphabet.
    """

    def __init__(self, words: Iterable[str], alphabet: Sequence[str]) -> None:
        labels = {character: label for label, character in enumerate(alphabet, 1)}
        self._space = labels.get(" ")
        self._num_labels = len(alphabet)
        # States are the nodes of the tree, each with its next states by label.
        self._transitions: list[dict[int, int]] = [{}, {}]
        self._accepting: set[int] = set()
        for word in words:
            if unknown := [character for character in word if character not in labels]:
                raise InputError(
                    f"The word {word!r} of the lexicon contains {unknown[0]!r}, which is not in "
                    f"the alphabet {alphabet!r}."
                )
            if " " in word:
                raise InputError(
                    f"The word {word!r} of the lexicon contains a space: list its words separately."
                )
            state = NEXT_WORD
            for character in word:
                following = self._transitions[state]
                state = following.setdefault(labels[character], len(self._transitions))
                if state == len(self._transitions):
                    self._transitions.append({})
            self._accepting.add(state)
        if self._space is not None:
            for state in self._accepting:
                self._transitions[state][self._space] = NEXT_WORD
        # Unlike a text that ends in a space, the empty text is complete.
        self._transitions[START] = self._transitions[NEXT_WORD]
        self._accepting.add(START)

    def __call__(self, prefixes: Iterable[tuple[int, ...]]) -> Array:
        """Return the log probabilities of the next label after each prefix.

        Args:
            prefixes: Tuples of labels from 1. Each begins a text of known words.

        Returns:
            float64 `(prefixes, characters + 1)`. Column 0 is the end.
        """
        states = list(map(self._state, prefixes))
        log_probs = np.full((len(states), self._num_labels + 1), -np.inf)
        for row, state in zip(log_probs, states, strict=True):
            row[list(self._transitions[state])] = 0
            if state in self._accepting:
                row[0] = 0
        return log_probs

    def automaton(self) -> Automaton:
        """Return the lexicon as arrays, for a search in a graph."""
        size = len(self._transitions)
        transitions = np.zeros((size, self._num_labels + 1), "int32")
        transitions[:, 0] = np.arange(size)
        labels = np.zeros(size, "int32")
        for state, following in enumerate(self._transitions):
            for label, next_state in following.items():
                transitions[state, label] = next_state
                labels[next_state] = label
        return Automaton(transitions, labels, np.isin(np.arange(size), list(self._accepting)))

    def _state(self, prefix: tuple[int, ...]) -> int:
        """Return the state after a prefix."""
        state = START
        if self._space is not None and self._space in prefix:
            prefix = prefix[len(prefix) - prefix[::-1].index(self._space) :]
            state = NEXT_WORD
        for label in prefix:
            state = self._transitions[state][label]
        return state

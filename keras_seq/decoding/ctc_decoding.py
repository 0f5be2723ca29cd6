"""From the log probabilities of CTC to labels: best path, beam search, search by scorers."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.decoding.ctc_beam_search import ctc_beam_search
from keras_seq.scan.ctc import BLANK
from keras_seq.text.alphabet import Alphabet

SCORER_BEAM_WIDTH = 16
"""Default beam width of a search by scorers."""

Scorer = Callable[[list[tuple[int, ...]]], np.ndarray]
"""Function from prefixes, tuples of labels, to the log probabilities of what comes next:
`(prefixes, classes)`, of which column 0 is that of the end."""


def collapse(path: Sequence[int]) -> list[tuple[int, int]]:
    """Return the labels of a path with their time steps: the first of equals in a row, no blanks.

    >>> from keras_seq.decoding import collapse
    >>> collapse([0, 3, 3, 0, 3, 1])
    [(3, 1), (3, 4), (1, 5)]

    Args:
        path: A class for each time step.
    """
    before = [BLANK, *path]
    return [
        (int(label), step)
        for step, label in enumerate(path)
        if label != BLANK and label != before[step]
    ]


def ctc_decode(
    log_probs: Sequence[np.ndarray],
    beam_width: int | None = None,
    scorers: Sequence[Scorer] = (),
    length_bonus: float = 0.0,
) -> list[tuple[int, ...]]:
    """Return the labels of sequences.

    Args:
        log_probs: For each sequence `(timesteps, classes)`; class 0 is the blank.
        beam_width: Number of prefixes to follow, each scored by the sum over its alignments.
            Default: the most likely alignment (best path), or 16 prefixes if there are scorers.
        scorers: Functions whose scores are added to those of the prefixes, such as a `Lexicon`.
        length_bonus: Added to the score for each label, if there are scorers.

    Raises:
        InputError: If `beam_width` is below 1.
    """
    if beam_width is not None and beam_width < 1:
        raise InputError(f"beam_width must be at least 1, got {beam_width}.")
    if not log_probs:
        return []
    classes = log_probs[0].shape[-1]
    if beam_width is not None and not scorers and keras.backend.backend() == "torch":
        # Keras 3.15 has no beam search of CTC on torch. Ours finds the same by zeros.
        scorers, length_bonus = [lambda prefixes: np.zeros((len(prefixes), classes))], 0.0
    if scorers:

        def score(prefixes: list[tuple[int, ...]]) -> np.ndarray:
            return np.sum([scorer(prefixes) for scorer in scorers], axis=0)

        width = beam_width or SCORER_BEAM_WIDTH
        return [ctc_beam_search(one, width, score, 1.0, length_bonus)[0] for one in log_probs]
    lengths = np.array([len(one) for one in log_probs], "int32")
    padded = np.zeros((len(log_probs), lengths.max(), classes), "float32")
    for row, one in zip(padded, log_probs, strict=True):
        row[: len(one)] = one
    if beam_width is None:
        labels, _ = ops.ctc_decode(padded, lengths, strategy="greedy", mask_index=BLANK)
    else:
        labels, _ = ops.ctc_decode(
            padded, lengths, strategy="beam_search", beam_width=beam_width, mask_index=BLANK
        )
    return [tuple(row[row > BLANK].tolist()) for row in ops.convert_to_numpy(labels)[0]]


def language_model_scorer(language_model: Any, alphabet: Alphabet, weight: float) -> Scorer:
    """Return the scores of a language model over letters, times a weight, for `ctc_decode`.

    Args:
        language_model: Object with a method `letter_log_probs(texts, letters)`, as a
            `SequenceGenerator` has it.
        alphabet: Letters of the labels.
        weight: Weight of the language model.
    """

    def score(prefixes: list[tuple[int, ...]]) -> np.ndarray:
        texts = [alphabet.decode(labels) for labels in prefixes]
        log_probs = language_model.letter_log_probs(texts, alphabet.characters)
        # Zero times minus infinity is to stay impossible.
        impossible = np.full_like(log_probs, -np.inf)
        return np.multiply(weight, log_probs, out=impossible, where=log_probs > -np.inf)

    return score

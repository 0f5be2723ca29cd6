"""CTC decoding: best path, prefix beam search, and language models or lexicons as scorers."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.ranges import Range
from keras_seq._internal.types import Array
from keras_seq.decoding.ctc_beam_search import NEG_INF, Labels, Scorer, ctc_beam_search
from keras_seq.scan.ctc import BLANK
from keras_seq.text.alphabet import Alphabet

SCORER_BEAM_WIDTH = 16
"""Default beam width of a search with scorers."""


def collapse(path: Sequence[int]) -> list[tuple[int, int]]:
    """Return the labels of a CTC path: merge repeated labels, then remove blanks.

    >>> from keras_seq.decoding import collapse
    >>> collapse([0, 3, 3, 0, 3, 1])
    [(3, 1), (3, 4), (1, 5)]

    Args:
        path: Class of each time step; 0 is the blank.

    Returns:
        For each label its id and its first time step.
    """
    before = [BLANK, *path]
    return [
        (int(label), step)
        for step, label in enumerate(path)
        if label != BLANK and label != before[step]
    ]


def ctc_decode(
    log_probs: Sequence[Array],
    beam_width: int | None = None,
    scorers: Sequence[Scorer] = (),
    length_bonus: float = 0.0,
) -> list[Labels]:
    """Decode the log probabilities of sequences to labels.

    Args:
        log_probs: For each sequence `(timesteps, classes)`; class 0 is the blank.
        beam_width: Number of prefixes to keep, each scored by the sum over its alignments. Default:
            the most likely alignment (best path), or 16 prefixes if there are scorers.
        scorers: Functions like `score_next` of `ctc_beam_search`, such as a `Lexicon`. Their log
            probabilities are added.
        length_bonus: Score per label. It needs scorers.

    Returns:
        For each sequence its labels, from 1.

    Raises:
        InputError: If `beam_width` is below 1.
    """
    if beam_width is not None:
        Range(1, is_integer=True).check("beam_width", beam_width)
    if not log_probs:
        return []
    classes = log_probs[0].shape[-1]
    if beam_width is not None and not scorers and keras.backend.backend() == "torch":
        # Keras 3.15 has no CTC beam search on torch. With a scorer of zeros, `ctc_beam_search`
        # finds the same labels.
        scorers, length_bonus = [lambda prefixes: np.zeros((len(prefixes), classes))], 0.0
    if scorers:

        def score(prefixes: list[Labels]) -> Array:
            return np.sum([scorer(prefixes) for scorer in scorers], axis=0)

        width = beam_width or SCORER_BEAM_WIDTH
        return [ctc_beam_search(matrix, width, score, 1.0, length_bonus)[0] for matrix in log_probs]
    lengths = np.array([len(matrix) for matrix in log_probs], "int32")
    padded = np.zeros((len(log_probs), lengths.max(), classes), "float32")
    for row, matrix in zip(padded, log_probs, strict=True):
        row[: len(matrix)] = matrix
    if beam_width is None:
        labels, _ = ops.ctc_decode(padded, lengths, strategy="greedy", mask_index=BLANK)
    else:
        labels, _ = ops.ctc_decode(
            padded, lengths, strategy="beam_search", beam_width=beam_width, mask_index=BLANK
        )
    return [tuple(row[row > BLANK].tolist()) for row in ops.convert_to_numpy(labels)[0]]


def language_model_scorer(language_model: Any, alphabet: Alphabet, weight: float) -> Scorer:
    """Return a scorer for `ctc_decode`: weighted log probabilities of a character language model.

    Args:
        language_model: Object with a method `char_log_probs(texts, characters)`, such as a
            `SequenceGenerator` of characters.
        alphabet: Characters of the labels.
        weight: Weight of the language model.
    """

    def score(prefixes: list[Labels]) -> Array:
        texts = [alphabet.decode(labels) for labels in prefixes]
        log_probs = language_model.char_log_probs(texts, alphabet.characters)
        # Zero times minus infinity would be NaN.
        excluded = np.full_like(log_probs, NEG_INF)
        return np.multiply(weight, log_probs, out=excluded, where=log_probs > NEG_INF)

    return score

"""Answers of the models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_seq._internal.softmax import log_softmax


class GeneratedSequence(NamedTuple):
    """Tokens that a model generated, and the log probability of each under it."""

    tokens: list[str]
    """Tokens that follow on the prompt, without the end."""
    log_probs: np.ndarray
    """Natural logarithms: one per token, and one for the end if the sequence has ended."""


class Prediction(NamedTuple):
    """Label of an example, with the probabilities of all labels."""

    label: str
    """Most probable label."""
    probability: float
    """Probability of that label."""
    probabilities: dict[str, float]
    """Label to its probability."""
    token_weights: list[tuple[str, float]] | None = None
    """Tokens in the order of the text, each with its weight; the weights add up to 1. None unless
    the model pools by attention, token by token."""


def make_prediction(
    labels: Sequence[str], logits: np.ndarray, token_weights: list[tuple[str, float]] | None = None
) -> Prediction:
    """Return the prediction of the logits of one example.

    Args:
        labels: Labels in the order of the logits.
        logits: `(labels,)`.
        token_weights: Tokens and their weights, or None.
    """
    probabilities = np.exp(log_softmax(logits)).tolist()
    best = int(np.argmax(probabilities))
    return Prediction(
        labels[best], probabilities[best], dict(zip(labels, probabilities)), token_weights
    )


class Translation(NamedTuple):
    """A text that a `Seq2Seq` made of another one."""

    text: str
    """The text."""
    score: float
    """Its natural log probability, after length and coverage penalty."""
    tokens: list[str]
    """Its tokens."""
    source: list[str]
    """The tokens of the text that was read, `<EOS>` last."""
    attention: np.ndarray | None
    """Weight of each token of the source for each token, `(tokens, source)`, or None."""

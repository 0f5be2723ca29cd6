"""Results of the models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_seq._internal.softmax import log_softmax
from keras_seq._internal.types import Array


class GeneratedSequence(NamedTuple):
    """Generated tokens and their log probabilities."""

    tokens: list[str]
    """Generated tokens after the prompt, without the end token."""
    log_probs: Array
    """Natural log probabilities `(tokens,)`, or `(tokens + 1,)` if the end token was generated."""


class Prediction(NamedTuple):
    """Most probable label of an example, with the probabilities of all labels."""

    label: str
    """Most probable label."""
    probability: float
    """Probability of `label`."""
    probabilities: dict[str, float]
    """Probability of each label."""
    token_weights: list[tuple[str, float]] | None = None
    """Tokens of the text, each with its attention weight; the weights add up to 1. None unless the
    model pools tokens by attention."""


def make_prediction(
    labels: Sequence[str], logits: Array, token_weights: list[tuple[str, float]] | None = None
) -> Prediction:
    """Return the prediction for the logits of one example.

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
    """Output text of a `Seq2Seq`, with its score."""

    text: str
    """Output text."""
    score: float
    """Natural log probability, with length and coverage penalty."""
    tokens: list[str]
    """Tokens of the output text."""
    source: list[str]
    """Tokens of the input text, `<EOS>` last."""
    attention: Array | None
    """Attention weights `(tokens, source)`, if they were requested."""

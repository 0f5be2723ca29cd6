"""What the models answer."""

from typing import NamedTuple


class Classified(NamedTuple):
    """Label of a text, its probability, and the tokens that decided."""

    label: str
    """Most probable label."""
    probability: float
    """Probability of that label."""
    probabilities: dict[str, float]
    """Label to its probability, of all labels."""
    words: list[tuple[str, float]] | None
    """Tokens in the order of the text, each with its weight; the weights add up to 1. None unless
    the model pools by attention, token by token."""

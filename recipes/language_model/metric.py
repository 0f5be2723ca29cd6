"""How well it foretells texts, in bits."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_seq.models import SequenceGenerator
from keras_seq.train.recipe import Splits

from .model import tokenize

MAX_LENGTH = 400
"""Tokens of a sample."""


def evaluate(model: SequenceGenerator, splits: Splits, name: str) -> dict[str, float]:
    """Return bits a character, the end of each paragraph counted in; perplexity of a token."""
    sequences = tokenize(model, splits[name].inputs)
    log_probs = np.concatenate(model.log_probs(sequences))
    return {
        "bits_per_character": _bits(model, sequences, log_probs),
        "perplexity": float(np.exp(-log_probs.mean())),
    }


def report(model: SequenceGenerator, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Write texts that the model made, at three temperatures.

    Returns:
        Bits a character of a model that goes on learning while it reads the split.
    """
    lines = []
    for temperature in (0.5, 0.8, 1.0):
        texts = model.generate(count=4, temperature=temperature, max_length=MAX_LENGTH, seed=0)
        lines += [f"temperature {temperature}\n\n" + "\n\n----\n\n".join(texts)]
    (folder / "samples.txt").write_text("\n\n========\n\n".join(lines) + "\n", encoding="utf-8")
    sequences = tokenize(model, splits[name].inputs)
    adapting = np.concatenate(model.adapting_log_probs(sequences))
    return {"adapting_bits_per_character": _bits(model, sequences, adapting)}


def _bits(model, sequences, log_probs):
    characters = sum(len(model.text_of(tokens)) for tokens in sequences)
    return float(-log_probs.sum() / np.log(2) / characters)

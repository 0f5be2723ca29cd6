"""Metrics of a language model: bits per character, perplexity."""

from pathlib import Path

import numpy as np

from keras_seq.models import SequenceGenerator
from keras_seq.train.recipe import Splits

MAX_LENGTH = 400
"""Tokens of a sample."""


def evaluate(model: SequenceGenerator, splits: Splits, name: str) -> dict[str, float]:
    """Return bits a character, the end of each paragraph counted in; perplexity of a token."""
    sequences = [model.encoder.tokenize(text) for text in splits[name].inputs]
    log_probs = np.concatenate(model.log_probs(sequences))
    characters = sum(len(model.encoder.detokenize(tokens)) for tokens in sequences)
    return {
        "bits_per_character": float(-log_probs.sum() / np.log(2) / characters),
        "perplexity": float(np.exp(-log_probs.mean())),
    }


def report(model: SequenceGenerator, splits: Splits, name: str, folder: Path) -> dict[str, float]:
    """Write texts that the model made, at three temperatures; there are no further numbers."""
    lines = []
    for temperature in (0.5, 0.8, 1.0):
        texts = model.generate(
            num_sequences=4, temperature=temperature, max_length=MAX_LENGTH, seed=0
        )
        lines += [f"temperature {temperature}\n\n" + "\n\n----\n\n".join(texts)]
    (folder / "samples.txt").write_text("\n\n========\n\n".join(lines) + "\n", encoding="utf-8")
    return {}

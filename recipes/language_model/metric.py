"""Metrics of a language model: bits per character and perplexity."""

from pathlib import Path

import numpy as np

from keras_seq.models import SequenceGenerator
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

MAX_LENGTH = 400
"""Maximum number of tokens of a sample."""


def evaluate(model: SequenceGenerator, splits: Splits, name: str) -> Metrics:
    """Return bits per character, including the end of each paragraph, and perplexity per token."""
    sequences = [model.encoder.tokenize(text) for text in splits[name].inputs]
    log_probs = np.concatenate(model.log_probs(sequences))
    num_characters = sum(len(model.encoder.detokenize(tokens)) for tokens in sequences)
    return {
        "bits_per_character": float(-log_probs.sum() / np.log(2) / num_characters),
        "perplexity": float(np.exp(-log_probs.mean())),
    }


def report(model: SequenceGenerator, splits: Splits, name: str, folder: Path) -> None:
    """Write samples at three temperatures to `samples.txt`."""
    blocks = []
    for temperature in (0.5, 0.8, 1.0):
        texts = model.generate(
            num_sequences=4, temperature=temperature, max_length=MAX_LENGTH, seed=0
        )
        blocks.append(f"temperature {temperature}\n\n" + "\n\n----\n\n".join(texts))
    (folder / "samples.txt").write_text("\n\n========\n\n".join(blocks) + "\n", encoding="utf-8")

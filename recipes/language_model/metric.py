"""How well it foretells texts, in bits."""

import numpy as np

MAX_LENGTH = 400
"""Tokens of a sample."""


def evaluate(model, splits, name):
    """Bits a character, the end of each paragraph counted in; perplexity of a token."""
    texts = splits[name].inputs
    log_probs = np.concatenate(model.log_probs(texts))
    return {
        "bits_per_character": _bits(model, texts, log_probs),
        "perplexity": float(np.exp(-log_probs.mean())),
    }


def show(model, splits, name, folder):
    """Writes texts that the model made, at three temperatures.

    Returns:
        Bits a character of a model that goes on learning while it reads the split.
    """
    lines = []
    for temperature in (0.5, 0.8, 1.0):
        texts = model.generate(count=4, temperature=temperature, max_length=MAX_LENGTH, seed=0)
        lines += [f"temperature {temperature}\n\n" + "\n\n----\n\n".join(texts)]
    (folder / "samples.txt").write_text("\n\n========\n\n".join(lines) + "\n", encoding="utf-8")
    texts = splits[name].inputs
    adapting = np.concatenate(model.adapting_log_probs(texts))
    return {"adapting_bits_per_character": _bits(model, texts, adapting)}


def _bits(model, texts, log_probs):
    characters = sum(len(model.text_of(text)) for text in texts)
    return float(-log_probs.sum() / np.log(2) / characters)

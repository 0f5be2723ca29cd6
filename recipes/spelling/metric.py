"""How good it is: words that are said wrong, and phonemes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jiwer

from keras_seq.batching import RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.train import plots
from keras_seq.train.recipe import Splits

BEAMS = (1, 5, 10)
"""Widths of the beam to compare."""

SHOWN = 12
"""Words in the picture."""


def evaluate(model: Seq2Seq, splits: Splits, name: str) -> dict[str, float]:
    """Return the share of words said in no listed way, and phoneme errors to the nearest way.

    The validation split, which is measured after every epoch, is read with a beam of one.
    """
    examples = splits[name]
    return rates(
        model.target_encoder, examples, _said(model, examples, 1 if name == "validation" else 5)
    )


def _said(model, examples, beam_width):
    return model.translate(examples.inputs, beam_width=beam_width, batch_size=256)


def rates(encoder: TextEncoder, examples: RawExamples, said: Sequence[str]) -> dict[str, float]:
    """Return word and phoneme error rate (`wer`, `per`).

    Args:
        encoder: Encoder that tells the phonemes of a string apart.
        examples: The targets are lists of the ways to say each word.
        said: What the model says, strings.
    """
    wrong, nearest = 0, []
    for ways, sounds in zip(examples.targets, said):
        if sounds not in ways:
            wrong += 1
            # To compare takes time, and most words are said in one way.
            one = len(ways) == 1
            sounds = ways[0] if one else min(ways, key=lambda way: _errors(encoder, way, sounds))
        nearest.append(_apart(encoder, sounds))
    said = [_apart(encoder, sounds) for sounds in said]
    return {"wer": wrong / len(said), "per": jiwer.wer(nearest, said)}


def _errors(encoder, way, said):
    found = jiwer.process_words(_apart(encoder, way), _apart(encoder, said))
    return found.substitutions + found.deletions + found.insertions


def _apart(encoder, sounds):
    """Return phonemes with blanks between them."""
    return " ".join(encoder.tokenize(sounds))


def report(model: Seq2Seq, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Draw where the model looks, write what it says wrong, and compare widths of the beam.

    Returns:
        The rates by the width of the beam.
    """
    examples = splits[name]
    by_beam = {width: _said(model, examples, width) for width in BEAMS}
    rows = ["word\tsaid\tlisted"]
    for word, ways, sounds in zip(examples.inputs, examples.targets, by_beam[5]):
        if sounds not in ways:
            rows.append(f"{word}\t{sounds}\t{' | '.join(ways)}")
    (folder / "mistakes.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    some = [word for word in examples.inputs if 6 <= len(word) <= 12] or examples.inputs
    found = [
        best for [best, *_] in model.translate_n_best(some[:SHOWN], return_attention_scores=True)
    ]
    plots.attention(found, folder / "attention.png")
    encoder = model.target_encoder
    return {"beam": {width: rates(encoder, examples, said) for width, said in by_beam.items()}}

"""Metrics of pronunciations: word error rate and phoneme error rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jiwer

from keras_seq.batching import RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.text import TextEncoder
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

BEAM_WIDTHS = (1, 5, 10)
"""Beam widths to compare in the report."""
NUM_PLOTS = 12
"""Number of words whose attention is plotted in the report."""


def evaluate(model: Seq2Seq, splits: Splits, name: str) -> Metrics:
    """Return word and phoneme error rate.

    The validation split is decoded greedily, because it is measured after every epoch. The test
    split is decoded with a beam width of 5.
    """
    examples = splits[name]
    outputs = _decode(model, examples, 1 if name == "validation" else 5)
    return error_rates(model.target_encoder, examples, outputs)


def _decode(model: Seq2Seq, examples: RawExamples, beam_width: int) -> list[str]:
    return list(model.translate(examples.inputs, beam_width=beam_width, batch_size=256))


def error_rates(
    encoder: TextEncoder, examples: RawExamples, outputs: Sequence[str]
) -> dict[str, float]:
    """Return word and phoneme error rate (`wer`, `per`).

    A word is correct if its output equals any listed pronunciation. Phoneme errors are counted
    against the nearest listed pronunciation.

    Args:
        encoder: Encoder whose tokens are phonemes.
        examples: Words, with lists of their pronunciations as targets.
        outputs: Pronunciation of each word by the model.
    """
    num_wrong, references = 0, []
    for pronunciations, output in zip(examples.targets, outputs):
        reference = output
        if output not in pronunciations:
            num_wrong += 1
            # Comparison takes time, and most words have one pronunciation.
            reference = pronunciations[0]
            if len(pronunciations) > 1:
                distances = [_edit_distance(encoder, text, output) for text in pronunciations]
                reference = pronunciations[distances.index(min(distances))]
        references.append(_separate(encoder, reference))
    separated = [_separate(encoder, output) for output in outputs]
    return {"wer": num_wrong / len(outputs), "per": jiwer.wer(references, separated)}


def _edit_distance(encoder: TextEncoder, reference: str, output: str) -> int:
    counts = jiwer.process_words(_separate(encoder, reference), _separate(encoder, output))
    return counts.substitutions + counts.deletions + counts.insertions


def _separate(encoder: TextEncoder, pronunciation: str) -> str:
    """Return a pronunciation with spaces between phonemes."""
    return " ".join(encoder.tokenize(pronunciation))


def report(model: Seq2Seq, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Plot attention, write wrong pronunciations, and compare beam widths.

    Returns:
        Error rates for each beam width (`beam`).
    """
    examples = splits[name]
    by_width = {width: _decode(model, examples, width) for width in BEAM_WIDTHS}
    rows = ["word\toutput\tlisted"]
    for word, pronunciations, output in zip(examples.inputs, examples.targets, by_width[5]):
        if output not in pronunciations:
            rows.append(f"{word}\t{output}\t{' | '.join(pronunciations)}")
    (folder / "mistakes.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    words = [word for word in examples.inputs if 6 <= len(word) <= 12] or examples.inputs
    n_best = model.translate_n_best(words[:NUM_PLOTS], return_attention_scores=True)
    plots.attention([best for [best, *_] in n_best], folder / "attention.png")
    encoder = model.target_encoder
    return {
        "beam": {
            width: error_rates(encoder, examples, outputs) for width, outputs in by_width.items()
        }
    }

"""How good it is: BLEU and chrF."""

from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU, CHRF

from keras_seq.models import Seq2Seq
from keras_seq.train import plots
from keras_seq.train.recipe import Splits

BEAMS = (1, 5, 10)
"""Widths of the beam to compare."""

SHOWN = 9
"""Sentences in the picture."""


def evaluate(model: Seq2Seq, splits: Splits, name: str) -> dict[str, float]:
    """Return BLEU (Papineni et al. 2002) and chrF (Popović 2015), both from 0 to 100.

    The validation split, which is measured after every epoch, is read with a beam of one.
    """
    examples = splits[name]
    said = _said(model, examples, 1 if name == "validation" else 5)
    return scores(said, examples.targets)[0]


def _said(model, examples, beam_width):
    return model.translate(examples.inputs, beam_width=beam_width, copy_unknown=True)


def scores(said, references):
    """Scores of translations by name, and the signatures that say how they were computed."""
    found, signatures = {}, {}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        found[name] = metric.corpus_score(said, [references]).score
        signatures[name] = str(metric.get_signature())
    return found, signatures


def report(model: Seq2Seq, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Write the translations next to the references, and draw where the model looked.

    Returns:
        The scores by the width of the beam, and their signatures.
    """
    examples = splits[name]
    by_beam = {width: _said(model, examples, width) for width in BEAMS}
    rows = ["source\treference\ttranslation"]
    rows += map("\t".join, zip(examples.inputs, examples.targets, by_beam[5]))
    (folder / "translations.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    some = [text for text in examples.inputs if 4 <= len(text.split()) <= 9] or examples.inputs
    found = [
        best for [best, *_] in model.translate_n_best(some[:SHOWN], return_attention_scores=True)
    ]
    plots.attention(found, folder / "attention.png")
    measured = {width: scores(said, examples.targets) for width, said in by_beam.items()}
    return {
        "beam": {width: found for width, (found, _) in measured.items()},
        "signatures": measured[5][1],
    }

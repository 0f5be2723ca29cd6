"""Metrics of translation: BLEU and chrF by sacreBLEU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU, CHRF

from keras_seq.batching import RawExamples
from keras_seq.models import Seq2Seq
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

BEAM_WIDTHS = (1, 5, 10)
"""Beam widths to compare in the report."""
NUM_PLOTS = 9
"""Number of sentences whose attention is plotted in the report."""


def evaluate(model: Seq2Seq, splits: Splits, name: str) -> Metrics:
    """Return BLEU (Papineni et al. 2002) and chrF (Popović 2015), both from 0 to 100.

    The validation split is decoded greedily, because it is measured after every epoch. The test
    split is decoded with a beam width of 5.
    """
    examples = splits[name]
    translations = _translate(model, examples, 1 if name == "validation" else 5)
    return compute_scores(translations, examples.targets)[0]


def _translate(model: Seq2Seq, examples: RawExamples, beam_width: int) -> list[str]:
    return model.translate(examples.inputs, beam_width=beam_width, copy_unknown=True)


def compute_scores(
    translations: Sequence[str], references: Sequence[str]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the scores of translations and the sacreBLEU signatures, by metric name.

    Args:
        translations: Translations by the model.
        references: Reference translations, one for each.
    """
    scores, signatures = {}, {}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        scores[name] = metric.corpus_score(translations, [references]).score
        signatures[name] = str(metric.get_signature())
    return scores, signatures


def report(model: Seq2Seq, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Write the translations next to the references, plot attention, and compare beam widths.

    Returns:
        Scores for each beam width (`beam`), and their signatures.
    """
    examples = splits[name]
    by_width = {width: _translate(model, examples, width) for width in BEAM_WIDTHS}
    rows = ["source\treference\ttranslation"]
    rows += map("\t".join, zip(examples.inputs, examples.targets, by_width[5]))
    (folder / "translations.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    texts = [text for text in examples.inputs if 4 <= len(text.split()) <= 9] or examples.inputs
    n_best = model.translate_n_best(texts[:NUM_PLOTS], return_attention_scores=True)
    plots.attention([best for [best, *_] in n_best], folder / "attention.png")
    measured = {
        width: compute_scores(translations, examples.targets)
        for width, translations in by_width.items()
    }
    return {
        "beam": {width: scores for width, (scores, _) in measured.items()},
        "signatures": measured[5][1],
    }

"""How good it is: words and letters that are heard wrong."""

import time
from pathlib import Path
from typing import Any

import jiwer

from keras_seq.models import CTCRecognizer
from keras_seq.train import plots
from keras_seq.train.recipe import Splits

BEAMS = (5, 25)
"""Widths of the beam to compare."""

SHOWN = 4
"""Recordings with a picture."""


def evaluate(model: CTCRecognizer, splits: Splits, name: str) -> dict[str, float]:
    """Return word error rate and character error rate (`wer`, `cer`)."""
    examples = splits[name]
    return rates(examples.targets, model.transcribe(examples.inputs))


def rates(texts: list[str], heard: list[str]) -> dict[str, float]:
    """Return the words and letters to change, of those there are (`wer`, `cer`)."""
    return {"wer": jiwer.wer(texts, heard), "cer": jiwer.cer(texts, heard)}


def report(model: CTCRecognizer, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Draw what is heard when, write what is heard wrong, and compare widths of the beam.

    Returns:
        The rates by the width of the beam; those of the likeliest alignments, whatever words they
        spell (`greedy`); and the real-time factor: seconds that it takes to recognize a second of
        sound, recordings together and one by one.
    """
    recordings, texts = splits[name].inputs, splits[name].targets
    log_probs = model.log_probs(recordings)
    heard = model.decode(log_probs)
    rows = ["heard\tsaid"]
    rows += [f"{ours}\t{theirs}" for ours, theirs in zip(heard, texts) if ours != theirs]
    (folder / "mistakes.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    for number in range(min(SHOWN, len(recordings))):
        plots.transcription(model, recordings[number], folder / f"transcription_{number}.png")
    beams = {width: rates(texts, model.decode(log_probs, width)) for width in BEAMS}
    many, few = recordings[:200], recordings[:20]
    return {
        "beam": beams,
        "greedy": rates(texts, model.decode(log_probs, use_lexicon=False)),
        "real_time_factor": _pace(model, many, lambda: model.transcribe(many)),
        "real_time_factor_one_by_one": _pace(
            model, few, lambda: [model.transcribe([recording]) for recording in few]
        ),
    }


def _pace(model, recordings, run):
    """Seconds that a second of sound takes, once all is compiled."""
    run()
    begin = time.perf_counter()
    run()
    seconds = sum(map(len, recordings)) / model.sample_rate
    return round((time.perf_counter() - begin) / seconds, 5)

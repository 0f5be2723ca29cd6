"""Metrics of speech recognition: word and character error rate, real-time factor."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from keras_seq.batching import RawExamples
from keras_seq.data.audio import as_int16, simulate_telephone
from keras_seq.models import CTCRecognizer
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

BEAM_WIDTHS = (5, 25)
"""Beam widths to compare in the report."""
NUM_PLOTS = 4
"""Number of recordings to plot in the report."""


def evaluate(model: CTCRecognizer, splits: Splits, name: str) -> Metrics:
    """Return word error rate and character error rate (`wer`, `cer`)."""
    examples = splits[name]
    return error_rates(examples.targets, model.transcribe(examples.inputs))


def error_rates(references: list[str], transcripts: list[str]) -> dict[str, float]:
    """Return word and character error rate: edits per word and per character of the references.

    Args:
        references: True transcripts.
        transcripts: Transcripts of the model.
    """
    return {"wer": jiwer.wer(references, transcripts), "cer": jiwer.cer(references, transcripts)}


def report(model: CTCRecognizer, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Plot transcriptions, write wrong transcripts, and compare beam widths.

    Returns:
        Error rates for each beam width (`beam`) and for greedy decoding without a lexicon
        (`greedy`). The real-time factor is the seconds of computation per second of audio, in
        batches and for single recordings. `new_voice` has the word error rates on the split of a
        synthesizer that is not in the training data, if there is one.
    """
    recordings, texts = splits[name].inputs, splits[name].targets
    log_probs = model.log_probs(recordings)
    transcripts = model.decode(log_probs)
    rows = ["transcript\treference"]
    rows += [
        f"{transcript}\t{text}"
        for transcript, text in zip(transcripts, texts)
        if transcript != text
    ]
    (folder / "mistakes.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    for number in range(min(NUM_PLOTS, len(recordings))):
        plots.transcription(model, recordings[number], folder / f"transcription_{number}.png")
    by_width = {width: error_rates(texts, model.decode(log_probs, width)) for width in BEAM_WIDTHS}
    many, few = recordings[:200], recordings[:20]
    unseen = splits.get("new_voice")
    return {
        "beam": by_width,
        "greedy": error_rates(texts, model.decode(log_probs, use_lexicon=False)),
        "real_time_factor": _real_time_factor(model, many, lambda: model.transcribe(many)),
        "real_time_factor_one_by_one": _real_time_factor(
            model, few, lambda: [model.transcribe([recording]) for recording in few]
        ),
        **({"new_voice": new_voice_error_rates(model, unseen)} if unseen is not None else {}),
    }


def new_voice_error_rates(
    model: CTCRecognizer, examples: RawExamples
) -> dict[str, dict[str, float]]:
    """Return the word error rates of isolated words and of strings of words.

    Args:
        model: Trained model.
        examples: Recordings, int16 `(samples,)`, and their transcripts.

    Returns:
        Rates by condition and kind. Conditions are `clean`, the recordings themselves, and
        `telephone`, a simulated line with the codec mu-law. Kinds are `isolated` words and
        `strings` of words.
    """
    rate = model.sample_rate
    recordings = {
        "clean": examples.inputs,
        "telephone": [
            as_int16(simulate_telephone(samples / np.float32(2**15), rate))
            for samples in examples.inputs
        ],
    }
    rates: dict[str, dict[str, float]] = {}
    for name, inputs in recordings.items():
        pairs = list(zip(examples.targets, model.transcribe(inputs), strict=True))
        groups = {
            "isolated": [pair for pair in pairs if " " not in pair[0]],
            "strings": [pair for pair in pairs if " " in pair[0]],
        }
        rates[name] = {
            group: jiwer.wer([text for text, _ in rows], [transcript for _, transcript in rows])
            for group, rows in groups.items()
        }
    return rates


def _real_time_factor(
    model: CTCRecognizer, recordings: Sequence[np.ndarray], transcribe: Callable[[], Any]
) -> float:
    """Return the seconds of computation per second of audio, without compilation."""
    transcribe()
    start = time.perf_counter()
    transcribe()
    audio_seconds = sum(map(len, recordings)) / model.sample_rate
    return round((time.perf_counter() - start) / audio_seconds, 5)

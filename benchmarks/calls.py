"""Time of predictions for one example: `python -m benchmarks.calls`.

Each model of `keras_seq.models`, with its default layers and random weights, answers through its
own method (`tag`, `classify`, ...) and through `model.predict` of the same encoded example. The
examples have six lengths, one call each per turn. Reported are the medians of the warm calls, the
seconds of the first calls. Each model has its own process. `--before FOLDER` measures another
version of the code in turn. Writes `benchmarks/results/calls.json` and `docs/speed.md`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

LENGTHS = (9, 14, 20, 31, 40, 57)
"""Tokens, words, or frames of the examples."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MODELS = (
    *("SequenceTagger", "SequenceClassifier", "SequenceGenerator"),
    *("Seq2Seq", "CTCRecognizer", "VideoClassifier"),
)
MAX_LENGTH = 50
"""Tokens to generate."""


class Subject(NamedTuple):
    """A model, the example of a length, and the call to measure."""

    model: Any
    example: Callable[[int], Any]
    call: Callable[[Any], object]
    method: str


def build(name: str) -> Subject:
    """Return a model of `keras_seq.models` by its name, with its call."""
    import keras

    from keras_seq import models
    from keras_seq.text import TagSet, TextEncoder

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list(LETTERS), 5)) for _ in range(500)]
    encoder = TextEncoder(words, "word", end=name == "Seq2Seq")
    text, letters, audio, clip = (
        lambda length: " ".join(words[:length]),
        lambda length: (LETTERS * 3)[:length],
        lambda length: np.random.default_rng(length).uniform(-0.1, 0.1, 400 * length),
        lambda length: np.random.default_rng(length).integers(0, 256, (length, 32, 32), "uint8"),
    )
    options: dict[str, Any] = {"max_length": MAX_LENGTH}
    if name == "SequenceTagger":
        tagger = models.SequenceTagger(encoder, TagSet(["PER", "LOC", "ORG"]))
        return Subject(tagger, text, lambda x: tagger.tag([x]), "tag")
    if name == "SequenceClassifier":
        classifier = models.SequenceClassifier(encoder, ["good", "bad"])
        return Subject(classifier, text, lambda x: classifier.classify([x]), "classify")
    if name == "SequenceGenerator":
        generator = models.SequenceGenerator(TextEncoder(LETTERS, "char", end=True))
        options["seed"] = 0
        return Subject(generator, letters, lambda x: generator.generate([x], **options), "generate")
    if name == "Seq2Seq":
        model = models.Seq2Seq(encoder, TextEncoder(words, "word", end=True))
        options["beam_width"] = 1
        return Subject(model, text, lambda x: model.translate([x], **options), "translate")
    if name == "CTCRecognizer":
        recognizer = models.CTCRecognizer([*LETTERS, " "])
        return Subject(recognizer, audio, lambda x: recognizer.transcribe([x]), "transcribe")
    video = models.VideoClassifier(["falls", "rises"], (32, 32))
    return Subject(video, clip, lambda x: video.classify([x]), "classify")


def time_calls(function: Callable[[Any], object], examples: Sequence[Any]) -> list[float]:
    """Return the seconds of one call per example."""
    seconds = []
    for example in examples:
        start = time.perf_counter()
        function(example)
        seconds.append(time.perf_counter() - start)
    return seconds


def measure(name: str, turns: int) -> dict[str, Any]:
    """Return the times of one model.

    Args:
        name: Name of the model.
        turns: Number of warm calls per example.
    """
    model, example, call, method = build(name)
    examples = [example(length) for length in LENGTHS]

    def encode(raw: Any) -> Any:
        pair = [[raw], [raw]] if name == "Seq2Seq" else [[raw]]
        return model.encode(*pair).inputs

    def predict(inputs: Any) -> object:
        return model.predict(inputs, verbose=0)

    first = time_calls(call, examples)
    encoded = [encode(raw) for raw in examples]
    time_calls(predict, encoded)
    warm: list[float] = []
    warm_predict: list[float] = []
    for _ in range(turns):
        warm += time_calls(call, examples)
        warm_predict += time_calls(predict, encoded)
    return {
        "method": method,
        "first_call_seconds": first[0],
        "next_first_calls_seconds": sum(first[1:]),
        "milliseconds": 1000 * statistics.median(warm),
        "predict_milliseconds": 1000 * statistics.median(warm_predict),
        "cpu_seconds": time.process_time(),
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="folder of another version of the code")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.turns)))
        return
    # Another version of the code, in which a model is measured, may lack these.
    from benchmarks import page, processes

    codes = processes.versions(options.before)
    arguments = ["--turns", str(options.turns), "--one"]
    rows = []
    for name in MODELS:
        results: dict[str, list[Any]] = {version: [] for version in codes}
        for _ in range(options.rounds):
            for version, code in codes.items():
                results[version].append(processes.run_json(__file__, [*arguments, name], code))
        row: dict[str, Any] = {"model": name, "method": results["now"][0].pop("method")}
        for version, measured in results.items():
            row[version] = {
                key: statistics.median(result[key] for result in measured)
                for key in measured[-1]
                if key != "method"
            }
        rows.append(row)
        print(rows[-1], flush=True)
    page.write("calls", rows)


if __name__ == "__main__":
    main()

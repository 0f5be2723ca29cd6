"""Times of the largest requests to the page of `keras-seq demo`: `python -m benchmarks.demo`.

The models have the default size of their recipe and are not trained, so they do not stop early.
Times are those of the first request, which compiles, and of the second one.
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from keras_seq._internal import startup
from keras_seq.batching import RawExamples
from keras_seq.data import limits
from keras_seq.demo import panels
from keras_seq.demo.app import DATA_LIMITS
from keras_seq.tracing.page import render_page
from keras_seq.tracing.trace import trace
from keras_seq.train import registry

LETTERS = "abcdefghijklmnopqrstuvwxyz "
RANDOM = random.Random(0)


def words(count: int) -> list[str]:
    """Return random words."""
    return ["".join(RANDOM.choices(LETTERS[:26], k=RANDOM.randint(2, 8))) for _ in range(count)]


def training(name: str) -> RawExamples:
    """Return examples that give a recipe a vocabulary of realistic size."""
    known = words(5_000)
    texts = [" ".join(RANDOM.choices(known, k=10)) for _ in range(1_000)]
    if name == "language_model":
        return RawExamples(texts)
    if name == "music":
        notes = [f"{pitch}:{length}" for pitch in range(-12, 20) for length in ("1/2", "1", "4")]
        tunes = [["M:4/4", "K:C_major", *RANDOM.choices(notes, k=30), "|"] for _ in range(300)]
        return RawExamples(tunes, ["a", "b"] * 150)
    if name == "speech":
        noise = np.random.default_rng(0).integers(-3_000, 3_000, (20, 16_000)).astype("int16")
        return RawExamples(list(noise), texts[:20])
    if name == "ner":
        sentences = [text.split() for text in texts]
        tags = [["S-PER", *["O"] * (len(row) - 1)] for row in sentences]
        return RawExamples(sentences, {"tags": tags, "word_tags": None})
    if name == "sentiment":
        ones = np.ones(len(texts))
        labels = ["bad", "good"] * 500
        return RawExamples(texts, {"labels": labels, "confidence": ones, "weights": ones})
    return RawExamples(texts, texts)


def recording(folder: Path) -> str:
    """Return the path of the longest recording that the page accepts."""
    import soundfile

    path = folder / "noise.wav"
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000 * DATA_LIMITS["max_audio_seconds"])
    soundfile.write(path, samples, 16_000)
    return str(path)


def largest_inputs(folder: Path) -> dict[str, list[Any]]:
    """Return the largest inputs of each recipe."""
    short = "a " * (panels.MAX_TEXT_LENGTH // 2)
    return {
        "ner": [short],
        "sentiment": [short],
        "language_model": ["ab" * (panels.MAX_TEXT_LENGTH // 2), 500, 0.8, 0],
        "translation": [short, 10],
        "speech": [recording(folder)],
        "music": [0, "", 2.0, 0],
    }


def main() -> None:
    """Print a table of the times."""
    startup.import_backend()
    table = Table("recipe", "answer, first", "answer", "trace, first", "trace", title="seconds")
    with tempfile.TemporaryDirectory() as folder, limits.override(**DATA_LIMITS):
        for name, inputs in largest_inputs(Path(folder)).items():
            recipe = registry.find(name).import_recipe()
            config = recipe.preset("default")
            model = recipe.build(config, training(name))
            panel = panels.make_panel(recipe, config, model)
            row: dict[str, list[float]] = {"answer": [], "trace": []}
            for _ in range(2):
                begin = time.perf_counter()
                answer = panel.answer(*inputs)
                row["answer"].append(time.perf_counter() - begin)
                begin = time.perf_counter()
                page = render_page(
                    trace(model, answer.inputs), answer.steps, tags=getattr(model, "tags", None)
                )
                row["trace"].append(time.perf_counter() - begin)
            times = [f"{seconds:.1f}" for seconds in (*row["answer"], *row["trace"])]
            table.add_row(name, *times)
            print(name, *times, f"{len(page) / 1e6:.1f} MB", flush=True)
    Console().print(table)


if __name__ == "__main__":
    main()

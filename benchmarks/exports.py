"""Latency of exported models: `python -m benchmarks.exports runs/ner/default runs/music/default`.

Each run is exported to all formats, in turn, and every export is verified on test examples. The
latency for one example is compared with that of Keras's `predict`. The exported files are deleted.
Writes `benchmarks/results/exports.json` and `docs/speed.md`.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread
from keras_seq._internal import startup
from keras_seq.batching import Arrays, EncodedDataset, RawExamples
from keras_seq.train import runs


def measure(run: Path, turns: int) -> Iterator[page.Row]:
    """Yield one row per format and endpoint, and one for Keras's `predict`."""
    recipe, config, model = runs.Run(run).load()
    from keras_seq import export
    from keras_seq.export.verification import latency

    inputs = recipe.export_inputs(model, config, 8)
    example = padded_inputs(recipe.encode(model, _first(recipe.load(config)["test"])))
    latencies: dict[tuple[str, str], list[float]] = {}
    differences: dict[str, float] = {}
    for _ in range(turns):
        milliseconds = latency(lambda: model.predict(example, verbose=0), ())
        latencies.setdefault(("Keras", "predict"), []).append(milliseconds)
        for name, write in export.FORMATS.items():
            with tempfile.TemporaryDirectory() as folder, startup.filtered_stderr():
                report = write(model, Path(folder) / name, inputs)
            differences[name] = report["max_abs_error"]
            for endpoint, milliseconds in report["latency_ms"].items():
                latencies.setdefault((name, endpoint), []).append(milliseconds)
    for (name, endpoint), times in latencies.items():
        yield {
            "run": str(run),
            "format": name,
            "endpoint": endpoint,
            "milliseconds": float(np.median(times)),
            "spread": spread(times) if turns > 1 else 0.0,
            "max_abs_error": differences.get(name),
        }


def padded_inputs(dataset: EncodedDataset) -> Arrays:
    """Return the inputs of the first example as a batch, which `predict` takes."""
    length = 0 if dataset.lengths is None else dataset.lengths[0]
    return dataset.pad_batch([0], length)[0]


def _first(examples: RawExamples) -> RawExamples:
    """Return the first of some examples."""

    def first(values: Any) -> Any:
        return None if values is None else values[:1]

    targets = examples.targets
    if isinstance(targets, dict):
        targets = {name: first(values) for name, values in targets.items()}
    else:
        targets = first(targets)
    return RawExamples(first(examples.inputs), targets)


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for run in options.runs:
        for row in measure(run, options.turns):
            print(row, flush=True)
            rows.append(row)
    page.write("exports", rows)


if __name__ == "__main__":
    main()

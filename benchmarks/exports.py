"""What one example costs where: `python -m benchmarks.exports runs/ner/default runs/music/default`.

Each run is exported to all formats, in turns, and every export is held against the model on test
examples (`keras_seq.export`); what is exported is thrown away. Keras's own `predict` answers the
same example beside. Writes `benchmarks/results/exports.json` and `docs/speed.md`.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread
from keras_seq._internal import startup
from keras_seq.batching import RawExamples
from keras_seq.train import runs


def measured(run, turns):
    """Rows, one an endpoint and format; `predict` of Keras is one too."""
    recipe, config, model = runs.Run(run).load()
    from keras_seq import export
    from keras_seq.export.verification import latency

    inputs = recipe.export_inputs(model, config, 8)
    one = recipe.encode(model, _first(recipe.load(config)["test"])).inputs
    found, differences = {}, {}
    for _ in range(turns):
        milliseconds = latency(lambda: model.predict(one, verbose=0), ())
        found.setdefault(("Keras", "predict"), []).append(milliseconds)
        for name, write in export.FORMATS.items():
            with tempfile.TemporaryDirectory() as folder, startup.filtered_stderr():
                report = write(model, Path(folder) / name, inputs)
            differences[name] = report["max_abs_error"]
            for endpoint, milliseconds in report["latency_ms"].items():
                found.setdefault((name, endpoint), []).append(milliseconds)
    for (name, endpoint), times in found.items():
        yield {
            "run": str(run),
            "format": name,
            "endpoint": endpoint,
            "milliseconds": float(np.median(times)),
            "spread": spread(times) if turns > 1 else 0.0,
            "max_abs_error": differences.get(name),
        }


def _first(examples):
    """The first of some examples."""

    def of(part):
        return None if part is None else part[:1]

    targets = examples.targets
    named = isinstance(targets, dict)
    targets = {name: of(part) for name, part in targets.items()} if named else of(targets)
    return RawExamples(of(examples.inputs), targets)


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for run in options.runs:
        for row in measured(run, options.turns):
            print(row, flush=True)
            rows.append(row)
    page.write("exports", rows)


if __name__ == "__main__":
    main()

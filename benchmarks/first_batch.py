"""Time to the first batch of every recipe, and peak memory: `python -m benchmarks.first_batch`.

Each recipe is trained with its default preset and built-in data, which are in the cache already, in
a process of its own. The time is that from the start of Python to the end of the first train step,
by phase. Another process goes on for a few steps and evaluates the model on the validation split;
the peak of its memory is reported. It runs first, so that Python has compiled all modules when time
is measured. `--before FOLDER` measures another version of the code in turn.
Writes `benchmarks/results/first_batch.json` and `docs/speed.md`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STEPS = 40
"""Number of train steps before memory is measured."""


def measure(recipe: str, steps: int, start_time: float) -> dict[str, Any]:
    """Train a recipe in this process.

    Args:
        recipe: Name of the recipe.
        steps: Number of train steps. After more than one, the model is evaluated.
        start_time: `time.time()` at the start of the process.

    Returns:
        Wall and CPU seconds until the end of the first step, by phase, and the peak of memory in
        megabytes after each phase.
    """
    from keras_seq.train import distribution, registry
    from keras_seq.train.reporter import Reporter
    from keras_seq.train.runs import Run

    class Clock(Reporter):
        """Reporter that notes the end of each phase."""

        phases: dict[str, dict[str, float]] = {}
        last = start_time, 0.0

        def note(self, phase: str) -> None:
            now = time.time(), time.process_time()
            seconds, cpu_seconds = (b - a for a, b in zip(self.last, now))
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            self.phases[phase] = {
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                "megabytes": megabytes,
            }
            self.last = now

        def write(self, event: str, values: Mapping[str, Any]) -> None:
            if event == "phase_end":
                self.note(values["phase"])

    clock = Clock()
    clock.note("starting Python")
    info = registry.find(recipe)
    distribution.start_backend(None, clock)
    import keras

    from keras_seq.train import loop

    class Stop(keras.callbacks.Callback):
        """Callback that ends the training after some steps."""

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch + 1 == steps:
                if steps == 1:
                    raise KeyboardInterrupt
                self.model.stop_training = True

    code = info.import_recipe()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        try:
            options: dict[str, Any] = {"callbacks": [Stop()], "fraction": 0.0, "reporter": clock}
            loop.fit(code, "default", info.preset("default"), run, **options)
        except KeyboardInterrupt:
            pass
        clock.end_phase()
    return clock.phases


def compare(recipe: str, codes: Mapping[str, Path], rounds: int) -> dict[str, Any]:
    """Return the result of one recipe.

    Args:
        recipe: Name of the recipe.
        codes: Folder of the code of each version.
        rounds: Number of measurements of the time; the medians are reported.
    """
    from benchmarks.processes import run_json

    def run(steps: int, code: Path) -> dict[str, Any]:
        return run_json(__file__, ["--one", recipe, str(steps), str(time.time())], code)

    memory = {name: run(STEPS, code) for name, code in codes.items()}
    times: dict[str, list[Any]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            times[name].append(run(1, code))
    row: dict[str, Any] = {"recipe": recipe}
    for name in codes:
        medians = {
            key: {
                phase: statistics.median(result[phase][key] for result in times[name])
                for phase in times[name][0]
            }
            for key in ("seconds", "cpu_seconds")
        }
        row[name] = {
            **medians,
            "megabytes": {
                phase: round(values["megabytes"]) for phase, values in memory[name].items()
            },
        }
    return row


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="folder of another version of the code")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        recipe, steps, start_time = options.one
        print(json.dumps(measure(recipe, int(steps), float(start_time))))
        return
    # Another version of the code, in which a recipe is measured, may lack these.
    from benchmarks import page, processes
    from keras_seq.train import registry

    rows = []
    for recipe in options.recipes or registry.list_recipes():
        rows.append(compare(recipe, processes.versions(options.before), options.rounds))
        print(json.dumps(rows[-1]), flush=True)
    page.write("first_batch", rows)


if __name__ == "__main__":
    main()

"""Time and memory by sequence length: `python -m benchmarks.lengths`.

Train step of an LSTM on (32, timesteps, 128) with 128 units and 50 to 3,200 time steps, with and
without `checkpoint`, for Keras and for torch. Reports milliseconds, seconds of the first call, and
the increase of peak memory in megabytes. The step computes all outputs and the gradient of the
inputs, or the last output and the gradients of the weights only. Every measurement has its own
process. Writes `benchmarks/results/lengths.json`, a plot of the same name and `docs/speed.md`.
"""

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks import page

LENGTHS = (50, 100, 200, 400, 800, 1600, 3200)
CONTESTANTS = {
    "ours": ("ours", "train"),
    "ours checkpoint": ("ours checkpoint", "train"),
    "ours, last output": ("ours", "train last"),
    "ours, last output, checkpoint": ("ours checkpoint", "train last"),
    "keras": ("keras", "train"),
    "torch": ("torch", "train"),
}
"""Contestant and mode of `benchmarks.peers`."""
BATCH, FEATURES, UNITS = 32, 128, 128


def measure(name: str, timesteps: int) -> page.Row:
    """Return milliseconds, seconds of the first call and megabytes, in this process."""
    shape = (BATCH, timesteps, FEATURES, UNITS)
    contestant, mode = CONTESTANTS[name]
    task = {"cell": "LSTM", "mode": mode, "shape": shape, "how": contestant}
    library = "torch" if contestant == "torch" else "tensorflow"
    # Only one of the libraries is imported, so that the other takes no memory.
    step = importlib.import_module(f"benchmarks.peers.with_{library}").build(task)
    before = _current_megabytes()
    first = time.perf_counter()
    step()
    first = time.perf_counter() - first
    calls = []
    for _ in range(5):
        start = time.perf_counter()
        step()
        calls.append(time.perf_counter() - start)
    return {
        "milliseconds": 1e3 * statistics.median(calls),
        "first_call_seconds": first,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before,
    }


def _current_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure_in_process(name: str, timesteps: int) -> page.Row:
    """Run `measure` in a new process."""
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.lengths", "--one", name, str(timesteps)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(process.stdout.splitlines()[-1])


def draw(rows: list[page.Row], path: Path) -> None:
    """Plot time and memory over the length."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, 2), ("milliseconds", "megabytes")):
        for name in CONTESTANTS:
            axes.plot(LENGTHS, [row[name][quantity] for row in rows], marker="o", label=name)
        axes.set(
            xscale="log", yscale="log", xlabel="time steps", title=f"{quantity} per train step"
        )
        axes.set_xticks(LENGTHS, LENGTHS)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    rows = []
    for timesteps in LENGTHS:
        rounds = [
            {name: measure_in_process(name, timesteps) for name in CONTESTANTS}
            for _ in range(options.rounds)
        ]
        row: page.Row = {"timesteps": timesteps}
        for name in CONTESTANTS:
            row[name] = {
                key: statistics.median(results[name][key] for results in rounds)
                for key in rounds[0][name]
            }
        rows.append(row)
        print(row, flush=True)
    page.write("lengths", rows)
    draw(rows, page.RESULTS / "lengths.png")


if __name__ == "__main__":
    main()

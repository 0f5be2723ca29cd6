"""What a length costs: `python -m benchmarks.lengths`.

The train step of an LSTM over (32, timesteps, 128) with 128 units, for 50 to 3,200 time steps, with
and without `checkpoint`, Keras's and torch's: milliseconds, seconds of the first call, and
megabytes at the peak beyond what the process held before it. All outputs and the gradient of the
inputs are asked for, or the last output and the gradients of the weights alone. Every measurement
has a process of its own. Writes `benchmarks/results/lengths.json`, a picture beside it, and
`docs/speed.md`.
"""

import argparse
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
"""The contestant of `benchmarks.peers` and its mode."""
BATCH, FEATURES, UNITS = 32, 128, 128


def measure(how, timesteps):
    """Milliseconds, first call and megabytes, in this process."""
    shape = (BATCH, timesteps, FEATURES, UNITS)
    how, mode = CONTESTANTS[how]
    task = {"cell": "LSTM", "mode": mode, "shape": shape, "how": how}
    if how == "torch":
        from benchmarks.peers import with_torch as peer
    else:
        from benchmarks.peers import with_tensorflow as peer
    step = peer.build(task)
    before = _megabytes_now()
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
        "first call, seconds": first,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before,
    }


def _megabytes_now():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def in_a_process(how, timesteps):
    """`measure` in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lengths", "--one", how, str(timesteps)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def draw(rows, path):
    """A panel for time and one for memory, over the length."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, what in zip(figure.subplots(1, 2), ("milliseconds", "megabytes")):
        for how in CONTESTANTS:
            axes.plot(LENGTHS, [row[how][what] for row in rows], marker="o", label=how)
        axes.set(xscale="log", yscale="log", xlabel="time steps", title=f"{what} a train step")
        axes.set_xticks(LENGTHS, LENGTHS)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def main():
    """Measures, prints, writes."""
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
            {how: in_a_process(how, timesteps) for how in CONTESTANTS}
            for _ in range(options.rounds)
        ]
        row = {"timesteps": timesteps}
        for how in CONTESTANTS:
            row[how] = {
                key: statistics.median(found[how][key] for found in rounds)
                for key in rounds[0][how]
            }
        rows.append(row)
        print(row, flush=True)
    page.write("lengths", rows)
    draw(rows, page.RESULTS / "lengths.png")


if __name__ == "__main__":
    main()

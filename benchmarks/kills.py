"""Resuming killed trainings and searches: `python -m benchmarks.kills`.

A small training of `mnist_rows` and a search with a few trials run once without interruption. Then
each is started ten times, killed by `kill -9` at a random time, and resumed until it ends. Metrics,
history, the table of trials of a search, and the names of all files must equal those of the
uninterrupted run. Prints a table, writes `benchmarks/results/kills.json`, and ends with exit code 1
if anything differs.
"""

import argparse
import csv
import dataclasses
import itertools
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import page
from keras_seq.train.runs import Run

SMALL = "--units 8 --num-layers 1 --no-bidirectional --no-augment --batch-size 1024"
COMMANDS = {
    "train": f"{SMALL} --steps 160",
    "tune": f"{SMALL} --steps 40 --trials 3 --fields learning-rate dropout",
}


@dataclasses.dataclass(frozen=True)
class Result:
    """Metrics, tables and file names of a finished run, without times."""

    metrics: dict[str, Any]
    tables: list[list[dict[str, str]]]
    files: set[str]

    @classmethod
    def read(cls, folder: Path) -> "Result":
        """Read the folder of a finished run."""
        keys = ("validation", "test", "epochs", "kept_epoch", "parameters")
        metrics = {key: Run(folder).metrics[key] for key in keys}
        tables = [_without_seconds(path) for path in sorted(folder.rglob("*.csv"))]
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
        return cls(metrics, tables, files)


def _without_seconds(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _command(verb: str, runs: Path, name: str) -> list[str]:
    """Return the command that starts a run, or resumes it if it has started."""
    command = [sys.executable, "-m", "keras_seq.cli", verb, "mnist_rows"]
    is_resumed = verb == "train" and Run(runs / "mnist_rows" / name).is_started
    options = ["--resume"] if is_resumed else COMMANDS[verb].split()
    return [*command, *options, "--runs", str(runs), "--run", name]


def _progress(folder: Path) -> str:
    """Return a description of how far a run has come."""
    trials = len(list(folder.glob("tuning/trial_*")))
    history = folder / "history.csv"
    if history.exists():
        return f"epoch {len(_without_seconds(history))}"
    if trials:
        return f"trial {trials}"
    return "started" if Run(folder).is_started else "not started"


def _run_and_kill(verb: str, runs: Path, name: str, seconds: float) -> str | None:
    """Start a run and kill it; return its progress, or None if it had already ended."""
    process = subprocess.Popen(
        _command(verb, runs, name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return _progress(runs / "mnist_rows" / name)
    return None


def _repeat(verb: str, runs: Path, kills: int, seed: int) -> list[dict[str, Any]]:
    """Return a row for each killed run."""
    start = time.perf_counter()
    subprocess.run(_command(verb, runs, verb), check=True, stdout=subprocess.DEVNULL)
    expected_seconds = time.perf_counter() - start
    expected = Result.read(runs / "mnist_rows" / verb)
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in itertools.count():
        if len(rows) == kills:
            break
        name = f"{verb}_{number}"
        seconds = rng.uniform(0, expected_seconds)
        progress = _run_and_kill(verb, runs, name, seconds)
        if progress is None or Run(runs / "mnist_rows" / name).is_finished:
            continue  # It was faster than the uninterrupted run.
        resumed = subprocess.run(
            _command(verb, runs, name),
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        identical = resumed.returncode == 0 and Result.read(runs / "mnist_rows" / name) == expected
        rows.append(
            {
                "command": verb,
                "killed_after_seconds": round(seconds, 1),
                "uninterrupted_seconds": round(expected_seconds, 1),
                "progress": progress,
                "exit_code": resumed.returncode,
                "identical": identical,
            }
        )
        print(rows[-1], *[resumed.stderr] * (not identical), flush=True)
    return rows


def main() -> int:
    """Print and write the results, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="number of killed runs per command")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the times")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        rows = [
            row
            for verb in COMMANDS
            for row in _repeat(verb, Path(runs), options.kills, options.seed)
        ]
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    command = shlex.join(["python", "-m", "benchmarks.kills", *sys.argv[1:]])
    page.record(page.RESULTS / "kills.json", command, rows)
    return 0 if all(row["identical"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

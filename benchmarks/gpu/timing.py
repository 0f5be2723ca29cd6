"""Timing of functions in turn, and lines of results."""

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu.tasks import MODES, Task

Run = Callable[[], Any]
"""Function that runs once, and returns when the device is done."""


@dataclasses.dataclass
class Contestant:
    """Functions of one implementation of a task.

    >>> from benchmarks.gpu.timing import Contestant
    >>> Contestant({"forward": lambda: None}).difference is None
    True

    Args:
        runs: Functions by mode.
        memory: Peak memory of a train step in bytes, inputs and weights included; None if unknown.
        difference: Largest difference of the outputs from the reference's, relative to its largest
            output; None if not compared.
    """

    runs: Mapping[str, Run]
    memory: int | None = None
    difference: float | None = None


Builder = Callable[[Task], tuple[dict[str, Contestant], dict[str, str]]]
"""Function from a task to contestants by name, and errors by name."""


def time_in_turn(
    runs: Mapping[str, Run], turns: int = 5, seconds: float = 0.02
) -> dict[str, float]:
    """Return the median milliseconds per call of each function.

    Args:
        runs: Functions by name, which have run before.
        turns: Number of turns of each function.
        seconds: Minimum duration of a turn.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns):
        for name in list(runs) if turn % 2 == 0 else list(runs)[::-1]:
            calls, start = 0, time.perf_counter()
            while (passed := time.perf_counter() - start) < seconds or not calls:
                runs[name]()
                calls += 1
            times[name].append(1e3 * passed / calls)
    return {name: statistics.median(values) for name, values in times.items()}


def run_tasks(tasks: Iterable[Task], build: Builder, path: Path, deadline: float) -> None:
    """Append a line of JSON per task and mode to a file, until a deadline.

    Args:
        tasks: Tasks.
        build: Function that builds the contestants of a task.
        path: File to append to.
        deadline: `time.time()` after which no task begins.
    """
    with path.open("a") as file:
        for task in tasks:
            if time.time() > deadline:
                return
            for row in measure(task, build):
                file.write(json.dumps(row) + "\n")
                file.flush()


def measure(task: Task, build: Builder) -> list[dict[str, Any]]:
    """Return the rows of a task, one per mode.

    Args:
        task: Task.
        build: Function that builds its contestants.
    """
    start = time.perf_counter()
    contestants, errors = build(task)
    rows = []
    for mode in MODES:
        runs: dict[str, Run] = {}
        for name, contestant in contestants.items():
            if name in errors:
                continue
            try:
                contestant.runs[mode]()
                contestant.runs[mode]()
                runs[name] = contestant.runs[mode]
            except Exception as error:  # one implementation must not stop the others
                errors[name] = describe(error)
        times = time_in_turn(runs)
        row = {
            **dataclasses.asdict(task),
            "mode": mode,
            "milliseconds": times,
            "memory": {n: c.memory for n, c in contestants.items() if c.memory is not None},
            "difference": {
                n: c.difference for n, c in contestants.items() if c.difference is not None
            },
            "errors": dict(errors),
            "build_seconds": round(time.perf_counter() - start, 1),
        }
        rows.append(row)
    return rows


def describe(error: Exception) -> str:
    """Return the type and the first 300 characters of an error."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"

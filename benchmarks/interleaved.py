"""Interleaved timing of libraries in separate processes, so that noise affects all equally.

A peer is a module with a function `build(task)`, which returns a function that runs the task once
and returns when it is done. The processes take turns, A B C A B C ... Only one works at a time,
because spinning threads of another library would distort the times.
"""

import dataclasses
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Message = dict[str, Any]


@dataclasses.dataclass
class Timing:
    """Seconds of the first call of one contestant, and the median seconds per call of each turn."""

    first: float
    turns: list[float]

    @property
    def median(self) -> float:
        """Median over the turns, in seconds."""
        return statistics.median(self.turns)


class Peer:
    """Process with the functions of one library, for one task at a time.

    Args:
        module: Module with `build(task)`.
        code: Folder that the process imports from. Default: the current folder.
    """

    def __init__(self, module: str, code: Path | None = None) -> None:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.interleaved", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=code,
            env=environment,
            text=True,
        )

    def ask(self, **message: Any) -> Message:
        """Send a message and return the answer; `{"error": ...}` if it failed."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended"}

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def compare(
    contestants: Mapping[str, tuple[Peer, Message]], turns: int = 9, seconds: float = 0.15
) -> tuple[dict[str, Timing], dict[str, str]]:
    """Time contestants in turn.

    Args:
        contestants: Name to peer and task, the argument of the peer's `build`.
        turns: Number of turns of each contestant.
        seconds: Minimum duration of a turn.

    Returns:
        Timings by name, and the errors of the contestants that failed.
    """
    timings: dict[str, Timing] = {}
    errors: dict[str, str] = {}
    for name, (peer, task) in contestants.items():
        answer = peer.ask(do="build", name=name, task=task)
        if "error" in answer:
            errors[name] = answer["error"]
        else:
            timings[name] = Timing(answer["first"], [])
    for turn in range(turns):
        names = list(timings) if turn % 2 == 0 else list(timings)[::-1]
        for name in names:
            answer = contestants[name][0].ask(do="time", name=name, seconds=seconds)
            timings[name].turns.append(answer["median"])
    for peer in {id(peer): peer for peer, _ in contestants.values()}.values():
        peer.ask(do="forget")
    return timings, errors


def spread(turns: list[float]) -> float:
    """Return the interquartile range relative to the median."""
    quarters = statistics.quantiles(turns, n=4)
    return (quarters[2] - quarters[0]) / quarters[1]


def _serve(module: str) -> None:
    """Answer messages on the standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keeps the output of libraries out of the answers
    build = importlib.import_module(module).build
    functions: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = _answer(message, build, functions)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(
    message: Message,
    build: Callable[[Any], Callable[[], object]],
    functions: dict[str, Callable[[], object]],
) -> Message:
    if message["do"] == "forget":
        functions.clear()
        return {}
    if message["do"] == "build":
        start = time.perf_counter()
        function = functions[message["name"]] = build(message["task"])
        function()
        first = time.perf_counter() - start
        function()
        return {"first": first}
    function = functions[message["name"]]
    calls: list[float] = []
    turn_start = time.perf_counter()
    function()
    while len(calls) < 3 or (
        time.perf_counter() - turn_start < message["seconds"] and len(calls) < 99
    ):
        start = time.perf_counter()
        function()
        calls.append(time.perf_counter() - start)
    return {"median": statistics.median(calls)}


if __name__ == "__main__":
    _serve(sys.argv[1])

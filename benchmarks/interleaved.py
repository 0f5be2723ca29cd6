"""Times peers that live in processes of their own, in turn, so that a noisy machine is fair to all.

A peer is a module with a function `build(task)` that returns a function to time, which runs the
task once and returns when it is done. The processes take turns, A B C A B C ...; only one works at
a time, since threads of another library that spin while they wait would spoil the figures.
"""

import dataclasses
import importlib
import json
import os
import statistics
import subprocess
import sys
import time


@dataclasses.dataclass
class Timing:
    """Seconds of one contestant: of the first call, and of every turn (the median of its calls)."""

    first: float
    turns: list

    @property
    def median(self):
        return statistics.median(self.turns)


class Peer:
    """A process that holds the functions of one library, at most one task at a time.

    Args:
        module: Module with `build(task)`.
        code: Folder of the code that the process imports. Default: the current folder.
    """

    def __init__(self, module, code=None):
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

    def ask(self, **message):
        """The answer to a message, a dict; {"error": ...} if it failed."""
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended"}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(contestants, turns=9, seconds=0.15):
    """Times contestants in turn.

    Args:
        contestants: Name to (Peer, task); a task is a dict that the peer's `build` understands.
        turns: How often each takes its turn.
        seconds: How long a turn lasts at least.

    Returns:
        Name to `Timing`, without those that failed, and name to error.
    """
    timings, errors = {}, {}
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


def spread(turns):
    """The middle half of the turns, relative to their median."""
    quarters = statistics.quantiles(turns, n=4)
    return (quarters[2] - quarters[0]) / quarters[1]


def _serve(module):
    """The loop of a peer's process."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    build = importlib.import_module(module).build
    functions = {}
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = _answer(message, build, functions)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(message, build, functions):
    if message["do"] == "forget":
        functions.clear()
        return {}
    if message["do"] == "build":
        began = time.perf_counter()
        function = functions[message["name"]] = build(message["task"])
        function()
        first = time.perf_counter() - began
        function()
        return {"first": first}
    function, calls, began = functions[message["name"]], [], time.perf_counter()
    function()
    while len(calls) < 3 or (time.perf_counter() - began < message["seconds"] and len(calls) < 99):
        start = time.perf_counter()
        function()
        calls.append(time.perf_counter() - start)
    return {"median": statistics.median(calls)}


if __name__ == "__main__":
    _serve(sys.argv[1])

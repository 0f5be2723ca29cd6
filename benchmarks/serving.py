"""Server throughput: `python -m benchmarks.serving runs/ner/default runs/sentiment/default`.

The test sentences of a run, one per request in random order, are sent by 1, 16 and 64 concurrent
clients of the load generator `wrk` (Debian package `wrk`). Servers with and without batching
alternate. Writes `benchmarks/results/serving.json` and `docs/speed.md`.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread

SERVERS: dict[str, list[Any]] = {"batched": [[]], "one by one": [["--max-batch-size", "1"]]}
SCRIPT = """
local bodies, n = BODIES, 0
request = function()
    n = n % #bodies + 1
    return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, bodies[n])
end
done = function(summary, latency)
    local e = summary.errors
    print(string.format(
        '{"requests": %d, "microseconds": %d, "errors": %d, "p50": %f, "p99": %f}',
        summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
"""


def make_script(run: Path, max_requests: int = 1000) -> tuple[str, list[int]]:
    """Return a `wrk` script with requests for the test sentences of a run, and their lengths."""
    from keras_seq.train import runs

    recipe, config, _ = runs.Run(run).load()
    texts = [
        "".join(text) for text in recipe.load(config)["test"].inputs
    ]  # some recipes have tokens
    texts = list(np.random.default_rng(0).permutation(texts)[:max_requests])
    bodies = [json.dumps({"instances": [text]}) for text in texts]
    # A JSON string is a valid Lua string if only quotes and backslashes are escaped.
    script = SCRIPT.replace("BODIES", "{" + ",".join(map(json.dumps, bodies)) + "}")
    return script, [len(text) for text in texts]


class Server:
    """Context manager that runs `keras-seq serve` in a process of its own.

    Args:
        run: Folder to serve.
        options: Further arguments of the command.
        code: Folder of the code. Default: the current folder.
    """

    def __init__(self, run: Path, options: Sequence[str], code: Path | None = None) -> None:
        self.code = code
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "keras_seq.cli", "serve", f"model={run}"]
        self.command = [*command, "--port", str(self.port), *options]

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the server so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, cwd=self.code)
        for _ in range(1200):  # the first start exports the run
            try:
                urllib.request.urlopen(f"{self.url}/v2/health/ready")
                return self
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"No response from {self.command}.")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def load(server: Server, script: str, clients: int, seconds: int) -> dict[str, Any]:
    """Return the measurements of `wrk`, and the CPU seconds of the server."""
    before = server.cpu_seconds
    command = ["wrk", "--threads", "1", "--connections", str(clients), "--timeout", "30s"]
    command += ["--duration", f"{seconds}s", "--latency", "--script", script]
    output = subprocess.run(
        [*command, f"{server.url}/v1/models/model:predict"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1]) | {"cpu": server.cpu_seconds - before}


def measure(
    run: Path, clients: Sequence[int], seconds: int, turns: int, servers: dict[str, list[Any]]
) -> Iterator[page.Row]:
    """Yield one row per server and number of clients.

    Args:
        run: Folder of a run.
        clients: Numbers of clients.
        seconds: Duration of each measurement.
        turns: Number of turns of the servers.
        servers: Name to further arguments of `Server`.
    """
    script, lengths = make_script(run)
    measurements: dict[tuple[int, str], list[dict[str, Any]]] = {
        (count, name): [] for count in clients for name in servers
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        requests = folder / "requests.lua"
        requests.write_text(script)
        for name in servers:  # each version of the code exports the run
            shutil.copytree(run, folder / name, ignore=shutil.ignore_patterns("savedmodel"))
        for _ in range(turns):
            for name, arguments in servers.items():
                with Server(folder / name, *arguments) as server:
                    load(server, str(requests), 4, 5)  # compiles for nearly all lengths
                    for count in clients:
                        measurements[count, name].append(
                            load(server, str(requests), count, seconds)
                        )
    for (count, name), results in measurements.items():
        rates = [1e6 * result["requests"] / result["microseconds"] for result in results]
        yield {
            "run": os.path.relpath(run),
            "characters": [int(np.percentile(lengths, p)) for p in (5, 50, 95)],
            "clients": count,
            "server": name,
            "requests_per_second": float(np.median(rates)),
            "spread": spread(rates) if turns > 1 else 0.0,
            "p50_ms": float(np.median([result["p50"] for result in results]) / 1000),
            "p99_ms": float(np.median([result["p99"] for result in results]) / 1000),
            "cpu_ms_per_request": float(
                np.median([1000 * result["cpu"] / result["requests"] for result in results])
            ),
            "errors": sum(result["errors"] for result in results),
            "requests": sum(result["requests"] for result in results),
        }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--before", type=Path, help="another checkout to compare with")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    runs = [run.resolve() if options.before else run for run in options.runs]
    servers: dict[str, list[Any]] = SERVERS
    if options.before:
        servers = {"now": [[]], "before": [[], options.before]}
    rows = []
    for run in runs:
        for row in measure(run, options.clients, options.seconds, options.turns, servers):
            print(row, flush=True)
            rows.append(row)
    if not options.dry:
        page.write("serving_before" if options.before else "serving", rows)


if __name__ == "__main__":
    main()

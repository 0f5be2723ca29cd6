"""A server under load: `python -m benchmarks.serving runs/ner/default runs/sentiment/default`.

The test sentences of a run, one a request, in a random order, asked for by 1, 16 and 64 clients at
once of `wrk` (a public load generator, which Debian's package of that name installs). Servers with
and without batching take turns. Writes `benchmarks/results/serving.json` and `docs/speed.md`.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from benchmarks import page
from benchmarks.interleaved import spread

SERVERS = {"batched": [[]], "one by one": [["--max-batch-size", "1"]]}
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


def bodies_of(run, most=1000):
    """Requests for the test sentences of a run; as a script of wrk, and their lengths."""
    from keras_seq.train import runs

    recipe, config, _ = runs.Run(run).load()
    texts = ["".join(text) for text in recipe.load(config)["test"].inputs]  # some are in tokens
    texts = list(np.random.default_rng(0).permutation(texts)[:most])
    bodies = [json.dumps({"instances": [text]}) for text in texts]
    # A string of Lua is one of JSON, if nothing in it is escaped but quotes and backslashes.
    script = SCRIPT.replace("BODIES", "{" + ",".join(map(json.dumps, bodies)) + "}")
    return script, [len(text) for text in texts]


class Server:
    """`keras-seq serve` in a process of its own, until the block ends.

    Args:
        run: Folder to serve.
        options: Further arguments of the command.
        code: Folder of the code, this one by default.
    """

    def __init__(self, run, options, code=None):
        self.code = code
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "keras_seq.cli", "serve", f"model={run}"]
        self.command = [*command, "--port", str(self.port), *options]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def cpu_seconds(self):
        """Time of the processor that the server has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, cwd=self.code)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/v2/health/ready")
                return self
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.command} does not answer.")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def load(server, script, clients, seconds):
    """Return what `wrk` measures, and the server's time of the processor in seconds."""
    before = server.cpu_seconds
    command = ["wrk", "--threads", "1", "--connections", str(clients), "--timeout", "30s"]
    command += ["--duration", f"{seconds}s", "--latency", "--script", script]
    printed = subprocess.run(
        [*command, f"{server.url}/v1/models/model:predict"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(printed.splitlines()[-1]) | {"cpu": server.cpu_seconds - before}


def measured(run, clients, seconds, turns, servers):
    """Yield rows, one per server and number of clients.

    Args:
        run: Folder of a run.
        clients: Numbers of clients.
        seconds: Duration of each measurement.
        turns: Number of turns of the servers.
        servers: Name to further arguments of `Server`.
    """
    script, lengths = bodies_of(run)
    found = {(count, name): [] for count in clients for name in servers}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        for _ in range(turns):
            for name, arguments in servers.items():
                with Server(run, *arguments) as server:
                    load(server, file.name, 4, 5)  # each length once, or nearly so
                    for count in clients:
                        found[count, name].append(load(server, file.name, count, seconds))
    for (count, name), results in found.items():
        rates = [1e6 * one["requests"] / one["microseconds"] for one in results]
        yield {
            "run": os.path.relpath(run),
            "characters": [int(np.percentile(lengths, p)) for p in (5, 50, 95)],
            "clients": count,
            "server": name,
            "requests a second": float(np.median(rates)),
            "spread": spread(rates) if turns > 1 else 0.0,
            "p50, ms": float(np.median([one["p50"] for one in results]) / 1000),
            "p99, ms": float(np.median([one["p99"] for one in results]) / 1000),
            "CPU, ms a request": float(
                np.median([1000 * one["cpu"] / one["requests"] for one in results])
            ),
            "errors": sum(one["errors"] for one in results),
            "requests": sum(one["requests"] for one in results),
        }


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--before", type=Path, help="a checkout of other code to compare with")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    runs = [run.resolve() if options.before else run for run in options.runs]
    servers = {"now": [[]], "before": [[], options.before]} if options.before else SERVERS
    rows = []
    for run in runs:
        for row in measured(run, options.clients, options.seconds, options.turns, servers):
            print(row, flush=True)
            rows.append(row)
    if not options.dry:
        page.write("serving_before" if options.before else "serving", rows)


if __name__ == "__main__":
    main()

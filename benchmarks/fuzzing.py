"""Fuzzing of the server: `python -m benchmarks.fuzzing [RUN]`.

Sends random mutations of valid requests of both protocols, while other connections are abusive in
the ways of `benchmarks.abuse`. A well-behaved client measures its latency, first alone and then
under this load. Without a run, a tiny model is served.

Prints the number of responses by status, the latencies, and the memory of the server with its
processes, and writes them to `benchmarks/results/fuzzing.json`. Ends with exit code 1 if

- a response has a 5xx status or no error message, or a connection an outcome that is not allowed;
- the well-behaved client got an error, or its 99th percentile more than tripled;
- the memory grew by more than 20% after the first third of the time;
- the server gives another response than before at the end.
"""

import argparse
import asyncio
import collections
import http.client
import json
import multiprocessing.context
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import abuse, page
from benchmarks.serving import Server

V1, V2 = "/v1/models/model:predict", "/v2/models/model/infer"
STRANGE_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 2**80, float("nan"), "", "\0", "\ud800", "x" * 1_000_000, [], {},
    [[]], [None], [[["a"]]], {"b64": "%"}, {"b64": "/w=="}, {"instances": 1}, "BYTES", [2, 3], [-1],
)  # fmt: skip


def valid_request(rng: random.Random) -> tuple[str, Any]:
    """Return a path and a valid body for it, before JSON encoding."""
    texts = ["江泽民在上海", "A good film .", "", "é" * rng.randrange(50)][: rng.randrange(1, 5)]
    if rng.random() < 0.5:
        shape = {"instances": texts} if rng.random() < 0.5 else {"inputs": {"texts": texts}}
        return V1, {**shape, "signature_name": "serving_default"}
    tensor = {"name": "texts", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    return V2, {"id": "1", "inputs": [tensor]}


def mutate_json(value: Any, rng: random.Random) -> Any:
    """Return a copy with a random part replaced, removed or duplicated."""
    if rng.random() < 0.25 or not isinstance(value, list | dict) or not value:
        return rng.choice(STRANGE_VALUES)
    value = value.copy()
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    action = rng.random()
    if action < 0.1:
        del value[key]
    elif action < 0.2 and isinstance(value, list):
        value.append(value[key])
    elif action < 0.2:
        value[rng.choice(["", "data", "inputs", "parameters", "outputs"])] = value[key]
    else:
        value[key] = mutate_json(value[key], rng)
    return value


def damaged_request(rng: random.Random) -> tuple[str, bytes]:
    """Return a path and a damaged body."""
    path, body = valid_request(rng)
    if rng.random() < 0.6:
        return path, json.dumps(mutate_json(body, rng)).encode()
    raw = bytearray(json.dumps(body, ensure_ascii=rng.random() < 0.5).encode())
    for _ in range(rng.randrange(1, 5)):
        start, length = rng.randrange(len(raw) + 1), rng.randrange(1, 9)
        other = bytes(rng.randrange(256) for _ in range(length))
        raw[start : start + rng.choice([0, length])] = rng.choice([b"", other, b"{" * 5_000])
    return path, bytes(raw)


def save_tiny_model(folder: Path) -> Path:
    """Write a SavedModel that takes texts and runs in a millisecond."""
    import tensorflow as tf

    class Tiny(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def read(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
            tokens = tf.strings.unicode_split(texts, "UTF-8").to_tensor("")
            return {"tokens": tokens, "lengths": tf.strings.length(texts, "UTF8_CHAR")}

    module = Tiny()
    tf.saved_model.save(module, str(folder), {"serving_default": module.read})
    return folder


def megabytes(server: Server) -> int:
    """Return the resident memory of the server and its processes."""
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    total = 0
    for pid in (main, *children):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                total += int(line.split()[1]) // 1024
    return total


class Bystander(multiprocessing.context.SpawnProcess):
    """Well-behaved client in a process of its own, which reconnects for every 20th request.

    Args:
        port: Port of the server.
        rate: Requests per second.
    """

    def __init__(self, port: int, rate: float = 40) -> None:
        super().__init__(daemon=True)
        self.port, self.rate = port, rate
        self.parent_end, self.child_end = multiprocessing.Pipe()

    def run(self) -> None:
        """Send requests until told to stop; then report latencies and errors."""
        milliseconds, errors, count = [], [], 0
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        body = json.dumps({"instances": ["A good film ."]})
        while not self.child_end.poll():
            start = time.perf_counter()
            if count % 20 == 0:
                client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            count += 1
            try:
                client.request("POST", V1, body)
                response = client.getresponse()
                content = response.read()
                if response.status != 200:
                    errors.append(f"{response.status} {content[:100]!r}")
            except (OSError, http.client.HTTPException) as error:
                errors.append(repr(error))
                count = 0
            seconds = time.perf_counter() - start
            milliseconds.append(1000 * seconds)
            time.sleep(max(0, 1 / self.rate - seconds))
        self.child_end.send((milliseconds, errors))

    def stop(self) -> tuple[list[float], list[str]]:
        """End the client; return its latencies in milliseconds and its errors."""
        self.parent_end.send(None)
        report = self.parent_end.recv()
        self.join()
        return report


async def send_bodies(server: Server, options: argparse.Namespace, results: "Results") -> None:
    """Send damaged bodies at a steady rate."""
    rng = random.Random(options.seed)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for count in range(options.bodies):
            await results.pace(count / options.bodies)
            path, raw = damaged_request(rng)
            response = await client.post(path, content=raw)
            results.statuses[str(response.status_code)] += 1
            has_message = response.status_code == 200 or response.json().get("error")
            if response.status_code >= 500 or not has_message:
                results.problems.append(
                    f"{response.status_code} {path} {raw[:200]!r} {response.text[:200]}"
                )


async def record_memory(server: Server, _options: argparse.Namespace, results: "Results") -> None:
    """Record the memory of the server ten times."""
    for tenth in range(1, 11):
        await results.pace(tenth / 10)
        results.memory.append(megabytes(server))


async def send_connections(server: Server, options: argparse.Namespace, results: "Results") -> None:
    """Open abusive connections at a steady rate, and the silent ones all at once."""
    rng = random.Random(options.seed)

    async def open_connection(kind: abuse.Kind) -> None:
        outcome = await abuse.abuse(kind, server.port, rng)
        results.outcomes[kind.__name__][outcome] += 1
        if outcome not in abuse.KINDS[kind] | {"408"}:
            results.problems.append(f"{kind.__name__}: {outcome}")

    others = [kind for kind in abuse.KINDS if kind is not abuse.silent]
    silent = options.connections * 3 // 10
    async with asyncio.TaskGroup() as group:
        for count in range(options.connections - silent):
            await results.pace(count / (options.connections - silent))
            if count == options.connections // 3:
                for _ in range(silent):
                    group.create_task(open_connection(abuse.silent))
            group.create_task(open_connection(others[count % len(others)]))


class Results:
    """Statuses, outcomes of connections and memory during one run.

    Args:
        seconds: Duration of the run.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.start = seconds, time.monotonic()
        self.statuses: collections.Counter[str] = collections.Counter()
        self.problems: list[str] = []
        self.memory: list[int] = []
        self.outcomes: dict[str, collections.Counter[str]] = collections.defaultdict(
            collections.Counter
        )

    async def pace(self, fraction: float) -> None:
        """Wait until a fraction of the time has passed."""
        await asyncio.sleep(max(0, self.start + fraction * self.seconds - time.monotonic()))


def main() -> None:
    """Run, print and write the results, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=120, help="duration of the load")
    parser.add_argument("--baseline", type=float, default=30, help="seconds without load")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or save_tiny_model(Path(folder) / "model")
        with Server(run, []) as server:
            row, problems = fuzz(server, options)
    print(json.dumps(row, indent=1), *problems[:20], sep="\n")
    if not options.dry:
        command = "python " + " ".join(["-m", "benchmarks.fuzzing", *sys.argv[1:]])
        page.record(page.RESULTS / "fuzzing.json", command, [row])
    sys.exit(bool(problems))


def fuzz(server: Server, options: argparse.Namespace) -> tuple[page.Row, list[str]]:
    """Return the measurements, and descriptions of problems."""
    valid = {"instances": ["A good film .", "江泽民在上海"]}
    before = httpx.post(server.url + V1, json=valid).json()
    bystander = Bystander(server.port)
    bystander.start()
    time.sleep(options.baseline)
    baseline, errors = bystander.stop()
    results = Results(options.seconds)

    async def send() -> None:
        async with asyncio.TaskGroup() as group:
            for task in (send_bodies, send_connections, record_memory):
                group.create_task(task(server, options, results))

    bystander = Bystander(server.port)
    bystander.start()
    # The load has low priority, as if it came from other machines.
    os.nice(19)
    asyncio.run(send())
    loaded, more_errors = bystander.stop()
    is_unchanged = httpx.post(server.url + V1, json=valid).json() == before
    p50, p99 = (
        [round(float(np.percentile(times, q)), 1) for times in (baseline, loaded)] for q in (50, 99)
    )
    checks = {
        f"errors: {(errors + more_errors)[:3]}": not errors + more_errors,
        f"p99 {p99[0]} ms became {p99[1]} ms": p99[1] <= 3 * p99[0],
        f"memory grew: {results.memory}": results.memory[-1] <= 1.2 * results.memory[2],
        "the response at the end differs": is_unchanged,
    }
    row = {
        "bodies": dict(results.statuses),
        "connections": {kind: dict(outcomes) for kind, outcomes in results.outcomes.items()},
        "client_p50_ms": {"alone": p50[0], "under_load": p50[1]},
        "client_p99_ms": {"alone": p99[0], "under_load": p99[1]},
        "num_client_requests": {"alone": len(baseline), "under_load": len(loaded)},
        "memory_mb": results.memory,
    }
    return row, results.problems + [text for text, passed in checks.items() if not passed]


if __name__ == "__main__":
    main()

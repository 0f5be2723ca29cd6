"""A server and what nobody should send: `python -m benchmarks.fuzzing`, or with a run.

Valid requests of both protocols are damaged at random: bytes changed, cut out, put twice, values
exchanged for others. Meanwhile connections are abused in the ways of `benchmarks.abuse`. A client
that does nothing wrong asks all the time, first alone. Without a run, a tiny model is made.

Prints how many got which status, the times of that client alone and meanwhile, and the memory of
the server with its processes; writes them to `benchmarks/results/fuzzing.json`. Ends with 1 if

- one got a status from 500, an answer without a sentence, or an end that `abuse` does not allow;
- the proper client was refused, or its 99th percentile was above three times its quiet value;
- memory grew by more than a fifth after the first third of the time;
- the server does not answer as before in the end.
"""

import argparse
import asyncio
import collections
import http.client
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks import abuse, page
from benchmarks.serving import Server

V1, V2 = "/v1/models/model:predict", "/v2/models/model/infer"
STRANGE = (
    None, True, 0, -1, 1e308, 2**80, float("nan"), "", "\0", "\ud800", "x" * 1_000_000, [], {},
    [[]], [None], [[["a"]]], {"b64": "%"}, {"b64": "/w=="}, {"instances": 1}, "BYTES", [2, 3], [-1],
)  # fmt: skip


def valid(rng):
    """A path and a body that fits it, as what its JSON holds."""
    texts = ["江泽民在上海", "A good film .", "", "é" * rng.randrange(50)][: rng.randrange(1, 5)]
    if rng.random() < 0.5:
        shape = {"instances": texts} if rng.random() < 0.5 else {"inputs": {"texts": texts}}
        return V1, {**shape, "signature_name": "serving_default"}
    tensor = {"name": "texts", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    return V2, {"id": "1", "inputs": [tensor]}


def exchanged(value, rng):
    """The value with something in it exchanged, left out or put twice."""
    if rng.random() < 0.25 or not isinstance(value, list | dict) or not value:
        return rng.choice(STRANGE)
    value = value.copy()
    place = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    action = rng.random()
    if action < 0.1:
        del value[place]
    elif action < 0.2 and isinstance(value, list):
        value.append(value[place])
    elif action < 0.2:
        value[rng.choice(["", "data", "inputs", "parameters", "outputs"])] = value[place]
    else:
        value[place] = exchanged(value[place], rng)
    return value


def damaged(rng):
    """A path and bytes."""
    path, body = valid(rng)
    if rng.random() < 0.6:
        return path, json.dumps(exchanged(body, rng)).encode()
    raw = bytearray(json.dumps(body, ensure_ascii=rng.random() < 0.5).encode())
    for _ in range(rng.randrange(1, 5)):
        start, length = rng.randrange(len(raw) + 1), rng.randrange(1, 9)
        other = bytes(rng.randrange(256) for _ in range(length))
        raw[start : start + rng.choice([0, length])] = rng.choice([b"", other, b"{" * 5_000])
    return path, bytes(raw)


def tiny(folder):
    """Write a SavedModel that reads texts and runs in a millisecond."""
    import tensorflow as tf

    class Tiny(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def read(self, texts):
            tokens = tf.strings.unicode_split(texts, "UTF-8").to_tensor("")
            return {"tokens": tokens, "lengths": tf.strings.length(texts, "UTF8_CHAR")}

    module = Tiny()
    tf.saved_model.save(module, str(folder), {"serving_default": module.read})
    return folder


def megabytes(server):
    """Return what the server and its processes hold."""
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    held = 0
    for pid in (main, *children):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                held += int(line.split()[1]) // 1024
    return held


class Bystander(multiprocessing.get_context("spawn").Process):
    """A client that does nothing wrong, in a process of its own; every 20th request reconnects.

    Args:
        port: Port of the server.
        rate: Requests per second.
    """

    def __init__(self, port, rate=40):
        super().__init__(daemon=True)
        self.port, self.rate = port, rate
        self.ours, self.its = multiprocessing.Pipe()

    def run(self):
        """Ask until told to stop; send the milliseconds of each answer, and those refused."""
        milliseconds, refused, client, count = [], [], None, 0
        body = json.dumps({"instances": ["A good film ."]})
        while not self.its.poll():
            begin = time.perf_counter()
            if count % 20 == 0:
                client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            count += 1
            try:
                client.request("POST", V1, body)
                answer = client.getresponse()
                content = answer.read()
                if answer.status != 200:
                    refused.append(f"{answer.status} {content[:100]}")
            except (OSError, http.client.HTTPException) as error:
                refused.append(repr(error))
                count = 0
            seconds = time.perf_counter() - begin
            milliseconds.append(1000 * seconds)
            time.sleep(max(0, 1 / self.rate - seconds))
        self.its.send((milliseconds, refused))

    def stop(self):
        """Return the milliseconds and what was refused."""
        self.ours.send(None)
        found = self.ours.recv()
        self.join()
        return found


async def send_bodies(server, options, found):
    """Send damaged bodies at a steady rate."""
    rng = random.Random(options.seed)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for count in range(options.bodies):
            await found.pace(count / options.bodies)
            path, raw = damaged(rng)
            answer = await client.post(path, content=raw)
            found.statuses[str(answer.status_code)] += 1
            sentence = answer.status_code == 200 or answer.json().get("error")
            if answer.status_code >= 500 or not sentence:
                found.strange.append(f"{answer.status_code} {path} {raw[:200]} {answer.text[:200]}")


async def weigh(server, options, found):
    """Note the server's memory ten times."""
    for tenth in range(1, 11):
        await found.pace(tenth / 10)
        found.memory.append(megabytes(server))


async def send_connections(server, options, found):
    """Open abusive connections at a steady rate, and the silent ones all at once."""
    rng = random.Random(options.seed)

    async def one(kind):
        end = await abuse.abuse(kind, server.port, rng)
        found.ends[kind.__name__][end] += 1
        if end not in abuse.KINDS[kind] | {"408"}:
            found.strange.append(f"{kind.__name__}: {end}")

    others = [kind for kind in abuse.KINDS if kind is not abuse.silent]
    silent = options.connections * 3 // 10
    async with asyncio.TaskGroup() as group:
        for count in range(options.connections - silent):
            await found.pace(count / (options.connections - silent))
            if count == options.connections // 3:
                for _ in range(silent):
                    group.create_task(one(abuse.silent))
            group.create_task(one(others[count % len(others)]))


class Found:
    """Statuses, ends of connections and memory during one run."""

    def __init__(self, seconds):
        self.seconds, self.begin = seconds, time.monotonic()
        self.statuses, self.strange, self.memory = collections.Counter(), [], []
        self.ends = collections.defaultdict(collections.Counter)

    async def pace(self, share):
        """Wait until a share of the time has passed."""
        await asyncio.sleep(max(0, self.begin + share * self.seconds - time.monotonic()))


def main():
    """Send, count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=120, help="that all this takes")
    parser.add_argument("--quiet", type=float, default=30, help="seconds without anything else")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or tiny(Path(folder) / "model")
        with Server(run, []) as server:
            row, problems = fuzzed(server, options)
    print(json.dumps(row, indent=1), *problems[:20], sep="\n")
    if not options.dry:
        command = "python " + " ".join(["-m", "benchmarks.fuzzing", *sys.argv[1:]])
        page.record(page.RESULTS / "fuzzing.json", command, [row])
    sys.exit(bool(problems))


def fuzzed(server, options):
    """Return what was measured, and sentences about what is wrong with it."""
    good = {"instances": ["A good film .", "江泽民在上海"]}
    before = httpx.post(server.url + V1, json=good).json()
    bystander = Bystander(server.port)
    bystander.start()
    time.sleep(options.quiet)
    quiet, refused = bystander.stop()
    found = Found(options.seconds)

    async def send():
        async with asyncio.TaskGroup() as group:
            for sending in (send_bodies, send_connections, weigh):
                group.create_task(sending(server, options, found))

    bystander = Bystander(server.port)
    bystander.start()
    # What machines of others would do gets what the server leaves of this one.
    os.nice(19)
    asyncio.run(send())
    loaded, more = bystander.stop()
    as_before = httpx.post(server.url + V1, json=good).json() == before
    p50, p99 = (
        [round(float(np.percentile(times, q)), 1) for times in (quiet, loaded)] for q in (50, 99)
    )
    third = found.memory[2]
    checks = {
        f"refused: {(refused + more)[:3]}": not refused + more,
        f"p99 {p99[0]} ms became {p99[1]} ms": p99[1] <= 3 * p99[0],
        f"memory grew: {found.memory}": found.memory[-1] <= 1.2 * third,
        "it does not answer as before": as_before,
    }
    row = {
        "bodies": dict(found.statuses),
        "connections": {kind: dict(ends) for kind, ends in found.ends.items()},
        "a proper client's p50, quiet and meanwhile, ms": p50,
        "a proper client's p99, quiet and meanwhile, ms": p99,
        "its requests": [len(quiet), len(loaded)],
        "memory, MB": found.memory,
    }
    return row, found.strange + [text for text, right in checks.items() if not right]


if __name__ == "__main__":
    main()

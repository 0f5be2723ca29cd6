"""A server and bodies that nobody should send: `python -m benchmarks.fuzzing runs/ner/default`.

Valid requests of both protocols are damaged at random: bytes changed, cut out, put twice, values
exchanged for others; some connections end in the middle of a body. Prints how many got which
status and what the server's memory did; ends with 1 if one got a status from 500, or if the server
does not answer as before in the end.
"""

import argparse
import collections
import json
import random
import socket
import sys
from pathlib import Path

import httpx

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


def cut_off(server, path, raw):
    """Sends half of a body and goes."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: server\r\nContent-Length: {len(raw) + 10}\r\n\r\n"
        connection.sendall(head.encode() + raw[: len(raw) // 2])


def megabytes(server):
    """What the server's process holds."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    raise RuntimeError("The server is gone.")


def main():
    """Sends, counts, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, statuses, strange = random.Random(options.seed), collections.Counter(), []
    with Server(options.run, []) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        good = {"instances": ["A good film .", "江泽民在上海"]}
        before = client.post(V1, json=good).json()
        memory = [megabytes(server)]
        for count in range(1, options.bodies + 1):
            path, raw = damaged(rng)
            if rng.random() < 0.02:
                cut_off(server, path, raw)
                statuses["cut off"] += 1
            else:
                answer = client.post(path, content=raw)
                statuses[answer.status_code] += 1
                sentence = answer.status_code == 200 or answer.json().get("error")
                if answer.status_code >= 500 or not sentence:
                    strange.append((answer.status_code, path, raw[:200], answer.text[:200]))
            if count % (options.bodies // 5) == 0:
                memory.append(megabytes(server))
        as_before = client.post(V1, json=good).json() == before
    print(json.dumps({str(k): v for k, v in statuses.items()}), f"memory, MB: {memory}")
    print(f"answers as before: {as_before}", *strange[:5], sep="\n")
    sys.exit(bool(strange) or not as_before)


if __name__ == "__main__":
    main()

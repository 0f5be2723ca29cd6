"""Compressed bodies, duplicate names, and worker processes."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import zlib

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.serving import Limits, bodies, protocol_v1
from keras_seq.serving.tensors import SignatureSpec, TensorSpec

SPECS = {"serving_default": SignatureSpec({"x": TensorSpec("float32", (None,))}, {})}
TEXT = b'{"inputs": [1, 2]}'


@pytest.mark.parametrize(
    "encoding, raw",
    [
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
    ],
)
def test_compressed_bodies_are_decompressed(encoding, raw):
    assert bodies.decompress(raw, encoding, len(TEXT)) == TEXT
    call = bodies.decode_request(protocol_v1.parse_request, raw, encoding, SPECS, Limits())
    assert call.arrays["x"].tolist() == [1, 2]


BOMB = gzip.compress(b" " * 10_000_000)
DAMAGED = {
    "a bomb": (BOMB, bodies.BodyTooLargeError, "exceeds the maximum of 1000 bytes"),
    "one byte too many": (
        gzip.compress(b" " * 1001),
        bodies.BodyTooLargeError,
        "the maximum of 1000 bytes",
    ),
    "cut off": (gzip.compress(TEXT)[:-1], InputError, "gzip data of the body is truncated"),
    "nothing": (b"", InputError, "truncated"),
    "data after the end": (gzip.compress(TEXT) + b"a", InputError, "data after the end"),
    "not compressed": (TEXT, InputError, "not valid gzip"),
    "another compression": (zlib.compress(TEXT), InputError, "not valid gzip"),
    "a flipped bit": (gzip.compress(TEXT)[:-8] + b"\0" * 8, InputError, "not valid gzip"),
}


@pytest.mark.parametrize("raw, error, message", DAMAGED.values(), ids=DAMAGED)
def test_damaged_bodies_raise_an_error(raw, error, message):
    with pytest.raises(error, match=message):
        bodies.decompress(raw, "gzip", 1000)


def test_a_body_of_the_maximum_size_is_decompressed():
    assert bodies.decompress(gzip.compress(b" " * 1000), "gzip", 1000) == b" " * 1000


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "b": 2, "\\u0061": 3}}]',
        b"{%s}" % b",".join(b'"%d": 0' % (n % 99_999) for n in range(100_000)),
    ],
    ids=["twice", "within, and escaped", "the last of many"],
)
def test_duplicate_names_raise_an_error(raw):
    with pytest.raises(InputError, match=r"has an object with the duplicate name '[a0]'"):
        bodies.parse_json(raw)


def test_workers_run_at_low_priority_and_are_replaced():
    async def test():
        workers = bodies.WorkerPool(1)
        raw = json.dumps({"inputs": list(range(100_000))}).encode()
        call = await workers.run(
            bodies.decode_request,
            protocol_v1.parse_request,
            raw,
            None,
            SPECS,
            Limits(max_instances=10**6),
        )
        np.testing.assert_array_equal(call.arrays["x"], np.arange(100_000, dtype="float32"))
        with pytest.raises(InputError, match="not JSON"):
            await workers.run(bodies.parse_json, b"[1")
        first = await workers.run(os.getpid)
        assert first != os.getpid()
        assert os.getpriority(os.PRIO_PROCESS, first) > os.getpriority(os.PRIO_PROCESS, 0)
        for number in (signal.SIGINT, signal.SIGTERM):  # as a terminal sends them to all processes
            os.kill(first, number)
        assert await workers.run(os.getpid) == first
        with pytest.raises(bodies.WorkerEndedError, match="try again"):
            await workers.run(os.kill, first, signal.SIGKILL)
        assert await workers.run(os.getpid) != first
        workers.close()

    asyncio.run(test())


SCRIPT = """
import asyncio, os
from keras_seq.serving import bodies
if __name__ == "__main__":
    async def main():
        await bodies.WorkerPool(1).run(os.getpid)
        os.abort()
    asyncio.run(main())
"""


def test_workers_end_with_the_server_however_it_ends(tmp_path):
    path = tmp_path / "server.py"
    path.write_text(SCRIPT)
    server = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE)
    # The worker keeps the other end of the pipe open until it ends.
    assert server.communicate(timeout=60) == (b"", None)
    assert server.returncode == -signal.SIGABRT

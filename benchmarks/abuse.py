"""Abusive connections to a server, one function per kind.

Each function returns the last HTTP status of its connection, or `"closed"`, or `"open"` if the
server did not end the connection within `PATIENCE` seconds.
"""

import asyncio
import contextlib
import gzip
import random
from collections.abc import Callable, Coroutine
from typing import Any

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Kind = Callable[[Reader, Writer, random.Random], Coroutine[Any, Any, str]]

PATIENCE = 60.0
"""Seconds after which a connection counts as open."""

PATH = b"/v1/models/model:predict"
GET = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\n"
BOMB = gzip.compress(b" " * 50_000_000)


async def outcome(
    reader: Reader, writer: Writer, sending: Coroutine[Any, Any, None] | None = None
) -> str:
    """Read until the server closes the connection, while sending; return the last status."""
    task = asyncio.create_task(sending) if sending else None
    received = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while part := await reader.read(65_536):
                received = (received + part)[-1_000_000:]
    except TimeoutError:
        return "open"
    except ConnectionError:
        pass
    finally:
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task
        writer.close()
    start = received.rfind(b"HTTP/1.1 ")
    return received[start + 9 : start + 12].decode() if start >= 0 else "closed"


async def drip(writer: Writer, head: bytes, seconds: float) -> None:
    """Send `head`, then one byte every few seconds."""
    writer.write(head)
    while True:
        await asyncio.sleep(seconds)
        writer.write(b"a")
        await writer.drain()


async def flood(writer: Writer, head: bytes, size: int) -> None:
    """Send `head`, then `size` equal bytes."""
    writer.write(head)
    for _ in range(size // 65_536):
        writer.write(b"a" * 65_536)
        await writer.drain()


async def send(writer: Writer, data: bytes) -> None:
    """Send some bytes."""
    writer.write(data)


async def slow_header(reader: Reader, writer: Writer, _rng: random.Random) -> str:
    """Send a byte of header every 5 s."""
    return await outcome(reader, writer, drip(writer, b"GET / HTTP/1.1\r\nA: ", 5))


async def silent(reader: Reader, writer: Writer, _rng: random.Random) -> str:
    """Send nothing."""
    return await outcome(reader, writer)


async def huge_header(reader: Reader, writer: Writer, rng: random.Random) -> str:
    """Send a header of 1 MB, in 1 of 100 cases of 100 MB."""
    size = 100_000_000 if rng.random() < 0.01 else 1_000_000
    return await outcome(reader, writer, flood(writer, b"GET / HTTP/1.1\r\nA: ", size))


async def half_request(_reader: Reader, writer: Writer, rng: random.Random) -> str:
    """Send a part of a request and close the connection."""
    whole = POST + b'Content-Length: 99\r\n\r\n{"instances": ["a"'
    writer.write(whole[: rng.randrange(1, len(whole))])
    await writer.drain()
    writer.close()
    return "left"


async def malformed(reader: Reader, writer: Writer, rng: random.Random) -> str:
    """Send bytes that are not HTTP."""
    raw = bytearray(GET if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 300)))
    raw[0:0] = rng.randbytes(1).replace(b"\r", b"a").replace(b"\n", b"a")
    return await outcome(reader, writer, send(writer, bytes(raw) + b"\r\n\r\n"))


async def gzip_bomb(reader: Reader, writer: Writer, _rng: random.Random) -> str:
    """Send 50 MB, compressed to 50 kB."""
    head = POST + b"Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return await outcome(reader, writer, send(writer, head % len(BOMB) + BOMB))


async def pipelined(reader: Reader, writer: Writer, rng: random.Random) -> str:
    """Send a request followed by garbage, or a thousand requests, at once."""
    data = rng.choice([GET + rng.randbytes(100), GET * 1000, GET + POST + b"\0"])
    return await outcome(reader, writer, send(writer, data))


async def bad_chunks(reader: Reader, writer: Writer, rng: random.Random) -> str:
    """Send a chunked body with an invalid chunk, or with an endless chunk extension."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    if rng.random() < 0.5:
        return await outcome(reader, writer, send(writer, head + b"zz\r\n"))
    return await outcome(reader, writer, flood(writer, head + b"1;a=", 1_000_000))


async def slow_reader(reader: Reader, writer: Writer, _rng: random.Random) -> str:
    """Request large responses and do not read for 10 s."""
    transport: Any = writer.transport
    transport.pause_reading()
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 15)
    await asyncio.sleep(10)
    transport.resume_reading()
    return await outcome(reader, writer)


KINDS: dict[Kind, set[str]] = {
    slow_header: set(),
    silent: {"closed"},
    huge_header: {"431", "closed"},
    half_request: {"left"},
    malformed: {"400"},
    gzip_bomb: {"413"},
    pipelined: {"200", "400"},
    bad_chunks: {"400", "431"},
    slow_reader: {"200"},
}
"""Allowed outcomes of each kind. 408 is allowed for all: it is the status of slow connections, and
of those that are closed to make room for new ones."""


async def abuse(kind: Kind, port: int, rng: random.Random) -> str:
    """Open one connection of a kind and return its outcome."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return await kind(reader, writer, rng)
    except ConnectionError:
        return "closed"

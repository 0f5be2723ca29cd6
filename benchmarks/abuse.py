"""Connections that nobody should open, each as a function that says how it ended.

Each takes an address and returns the status it got, or "closed"; "open" if the server would have
waited longer than `PATIENCE`.
"""

import asyncio
import contextlib
import gzip

PATIENCE = 60.0
"""Seconds after which a connection that the server has not ended counts as open."""

PATH = b"/v1/models/model:predict"
GET = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\n"
BOMB = gzip.compress(b" " * 50_000_000)


async def outcome(reader, writer, sending=None):
    """Read until the server closes, while something is sent; return the last status."""
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
    at = received.rfind(b"HTTP/1.1 ")
    return received[at + 9 : at + 12].decode() if at >= 0 else "closed"


async def drip(writer, head, seconds):
    """Send a beginning, then a byte every few seconds."""
    writer.write(head)
    while True:
        await asyncio.sleep(seconds)
        writer.write(b"a")
        await writer.drain()


async def flood(writer, head, size):
    """Send a beginning, then much of the same."""
    writer.write(head)
    for _ in range(size // 65_536):
        writer.write(b"a" * 65_536)
        await writer.drain()


async def once(writer, data):
    """Send some bytes."""
    writer.write(data)


async def slow_header(reader, writer, rng):
    """Send a byte of header every 5 s."""
    return await outcome(reader, writer, drip(writer, b"GET / HTTP/1.1\r\nA: ", 5))


async def silent(reader, writer, rng):
    """Send nothing."""
    return await outcome(reader, writer)


async def huge_header(reader, writer, rng):
    """Send a header of a megabyte, seldom of a hundred."""
    size = 100_000_000 if rng.random() < 0.01 else 1_000_000
    return await outcome(reader, writer, flood(writer, b"GET / HTTP/1.1\r\nA: ", size))


async def half_request(reader, writer, rng):
    """Send half of a request and go."""
    whole = POST + b'Content-Length: 99\r\n\r\n{"instances": ["a"'
    writer.write(whole[: rng.randrange(1, len(whole))])
    await writer.drain()
    writer.close()
    return "left"


async def malformed(reader, writer, rng):
    """Send what is not HTTP."""
    raw = bytearray(GET if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 300)))
    raw[0:0] = rng.randbytes(1).replace(b"\r", b"a").replace(b"\n", b"a")
    return await outcome(reader, writer, once(writer, bytes(raw) + b"\r\n\r\n"))


async def bomb(reader, writer, rng):
    """Send 50 MB that are compressed to 50 kB."""
    head = POST + b"Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return await outcome(reader, writer, once(writer, head % len(BOMB) + BOMB))


async def pipelined(reader, writer, rng):
    """Send a request and garbage, or a thousand requests, at once."""
    data = rng.choice([GET + rng.randbytes(100), GET * 1000, GET + POST + b"\0"])
    return await outcome(reader, writer, once(writer, data))


async def bad_chunks(reader, writer, rng):
    """Send a body in chunks that are none, or whose extension has no end."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    if rng.random() < 0.5:
        return await outcome(reader, writer, once(writer, head + b"zz\r\n"))
    return await outcome(reader, writer, flood(writer, head + b"1;a=", 1_000_000))


async def deaf(reader, writer, rng):
    """Ask for much and read nothing for a while."""
    writer.transport.pause_reading()
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 15)
    await asyncio.sleep(10)
    writer.transport.resume_reading()
    return await outcome(reader, writer)


KINDS = {
    slow_header: set(),
    silent: {"closed"},
    huge_header: {"431", "closed"},
    half_request: {"left"},
    malformed: {"400"},
    bomb: {"413"},
    pipelined: {"200", "400"},
    bad_chunks: {"400", "431"},
    deaf: {"200"},
}
"""Statuses that each kind may end with. All may also end with 408, the status for a connection that
is too slow, or whose place another one needs."""


async def abuse(kind, port, rng):
    """Open one connection of a kind; return how it ended."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return await kind(reader, writer, rng)
    except ConnectionError:
        return "closed"

"""Limits of connections: size, time and number; malformed HTTP."""

import asyncio
import contextlib
import json
import re

import pytest
import uvicorn
from uvicorn.server import ServerState

from keras_seq.serving import Limits, connections
from keras_seq.serving.connections import limited_protocol

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def linger(monkeypatch):
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.05)


class App:
    """ASGI application that returns the path and the body; `/slow` waits for `go`."""

    def __init__(self):
        self.asked, self.gone, self.go = [], 0, asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.asked.append(scope["path"])
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            body += message["body"]
            if not message["more_body"]:
                break
        if scope["path"].startswith("/slow"):
            await self.go.wait()
        size = 30_000_000 if scope["path"] == "/large" else 0
        content = scope["path"].encode() + b" " + body + b"." * size
        headers = [(b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class Client:
    """Client side of a connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, data):
        self.writer.write(data)

    async def end(self):
        """Return all received bytes after the server closed the connection."""
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := await self.reader.read(65_536):
                received += part
        return received

    async def answer(self):
        """Return the status and the body of the next response."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.reader.readexactly(1)
        size = int(re.search(rb"content-length: (\d+)", head)[1])
        return int(head[9:12]), (await self.reader.readexactly(size)).decode()


def serving(test, **limits):
    """Run `async test(app, connect)` with a server that has these limits."""

    async def run():
        app, clients, loop = App(), [], asyncio.get_running_loop()
        config = uvicorn.Config(app, http=limited_protocol(Limits(**limits)), ws="none")
        config.load()
        state = ServerState()
        app.open = lambda: len(state.connections)

        def make():
            return config.http_protocol_class(
                config=config, server_state=state, app_state={}, _loop=loop
            )

        async def connect():
            clients.append(Client(*await asyncio.open_connection(*address)))
            return clients[-1]

        server = await loop.create_server(make, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        try:
            async with asyncio.timeout(60):
                await test(app, connect)
        finally:
            app.go.set()
            for client in clients:
                client.writer.transport.abort()
            server.close()
            while state.connections or state.tasks:
                await asyncio.sleep(0)

    asyncio.run(run())


def last_error(received):
    """Return the status and the message of a last response."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head and b"connection: close" in head
    assert f"content-length: {len(body)}".encode() in head
    content = json.loads(body)
    assert list(content) == ["error"] and "\n" not in content["error"]
    return int(head[9:12]), content["error"]


LARGE = {
    "one field": GET[:-2] % b"" + b"A: " + b"a" * 10_000_000,
    "many fields": GET[:-2] % b"" + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n",
    "the path": b"GET /" + b"a" * 2_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "the name of a field": GET[:-2] % b"" + b"a" * 100_000,
    "a trailer": POST + b"1\r\na\r\n0\r\nA: " + b"a" * 1_000_000,
    "an extension of a chunk": POST + b"1;a=" + b"a" * 1_000_000,
}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
def test_a_header_that_is_too_large_gets_431(data):
    async def test(app, connect):
        client = await connect()
        client.send(data)
        status, sentence = last_error(await client.end())
        assert status == 431 and "exceeds the maximum of 1000 bytes" in sentence
        assert not app.asked or app.gone == 1
        other = await connect()
        other.send(GET % b"a")
        assert await other.answer() == (200, "/a ")

    serving(test, max_header_bytes=1000)


def test_a_header_within_the_limit_may_arrive_in_parts():
    async def test(app, connect):
        client = await connect()
        head = b"GET /a HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 900 + b"\r\n\r\n"
        client.send(head * 5)
        for part in range(0, len(head), 100):
            client.send(head[part : part + 100])
            await client.writer.drain()
        for _ in range(6):
            assert await client.answer() == (200, "/a ")

    serving(test, max_header_bytes=1000)


def test_a_header_that_does_not_arrive_times_out():
    async def test(app, connect):
        silent, begun, dripping = [await connect() for _ in range(3)]
        begun.send(b"GET / HT")
        dripping.send(b"GET / HTTP/1.1\r\nA: ")

        async def drip():
            while True:
                dripping.send(b"a")
                await asyncio.sleep(0.01)

        task = asyncio.create_task(drip())
        assert await silent.end() == b""
        for client in (begun, dripping):
            assert last_error(await client.end()) == (
                408,
                "The header did not arrive within 0.1 seconds.",
            )
        task.cancel()
        assert not app.asked

    serving(test, header_timeout=0.1)


@pytest.mark.parametrize("drip", [b"", b"\r\n"], ids=["silent", "empty lines"])
def test_an_idle_connection_is_closed(linger, drip):
    async def test(app, connect):
        client = await connect()
        client.send(GET % b"a")
        assert await client.answer() == (200, "/a ")
        ended = asyncio.create_task(client.end())
        while not ended.done():
            client.send(drip)
            await asyncio.sleep(0.01)
        assert (await ended)[:12] in (b"", b"HTTP/1.1 408")

    serving(test, header_timeout=0.1, keep_alive_timeout=0.1)


def test_a_slow_header_does_not_interrupt_the_previous_response():
    async def test(app, connect):
        client = await connect()
        client.send(GET % b"slow" + b"GET / HT")
        await asyncio.sleep(0.2)
        app.go.set()
        assert await client.answer() == (200, "/slow ")
        assert last_error(await client.end())[0] == 408

    serving(test, header_timeout=0.05)


def test_a_client_that_does_not_read_is_disconnected(linger):
    async def test(app, connect):
        client = await connect()
        client.reader._limit = 1  # asyncio buffers at most twice this number of bytes
        client.send(GET % b"large")
        while not app.asked or app.open():
            await asyncio.sleep(0.01)

    serving(test, keep_alive_timeout=0.05, request_timeout=0.05)


def test_a_client_that_reads_slowly_gets_the_whole_response(linger):
    async def test(app, connect):
        client = await connect()
        client.reader._limit = 1
        client.send(GET % b"large")
        while not app.asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # longer than a connection stays open after an answer
        status, content = await client.answer()
        assert status == 200 and len(content) > 30_000_000

    serving(test, keep_alive_timeout=0.05)


def test_the_oldest_incomplete_connection_is_evicted():
    async def test(app, connect):
        busy = await connect()
        busy.send(GET % b"slow")
        while not app.asked:
            await asyncio.sleep(0)
        silent, begun = await connect(), await connect()
        begun.send(b"GET / HT")
        for oldest in (silent, begun):
            other = await connect()
            assert last_error(await oldest.end()) == (
                408,
                "Too many connections are open: try again later.",
            )
        other.send(GET % b"a")
        assert await other.answer() == (200, "/a ")
        app.go.set()
        assert await busy.answer() == (200, "/slow ")

    serving(test, max_connections=3)


def test_complete_requests_are_not_evicted():
    async def test(app, connect):
        busy = [await connect() for _ in range(2)]
        for client in busy:
            client.send(GET % b"slow")
        while len(app.asked) < 2:
            await asyncio.sleep(0)
        assert last_error(await (await connect()).end())[0] == 503
        app.go.set()
        for client in busy:
            assert await client.answer() == (200, "/slow ")

    serving(test, max_connections=2)


MALFORMED = {
    "bytes": b"\x00\xff\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "words": b"let me in\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": POST[:-2] + b"Content-Length: 2\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a field without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\n\r\n",
    "a chunk without a size": POST + b"x\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_http_gets_400(data):
    async def test(app, connect):
        client = await connect()
        client.send(data)
        assert last_error(await client.end()) == (400, "The request is not valid HTTP/1.1.")
        assert app.gone == len(app.asked), "the application stopped waiting for the rest"

    serving(test)


def test_requests_before_malformed_ones_are_answered():
    async def test(app, connect):
        client = await connect()
        client.send(GET % b"slow" + GET % b"b" + b"\x00garbage")
        await asyncio.sleep(0)
        app.go.set()
        assert await client.answer() == (200, "/slow ")
        assert await client.answer() == (200, "/b ")
        assert await client.end() == b""

    serving(test)


def test_a_malformed_body_gets_its_response_after_earlier_requests():
    async def test(app, connect):
        client = await connect()
        client.send(GET % b"slow" + POST + b"x\r\n")
        await asyncio.sleep(0)
        app.go.set()
        assert await client.answer() == (200, "/slow ")
        assert last_error(await client.end())[0] == 400

    serving(test)


def test_pipelined_requests_are_limited():
    async def test(app, connect):
        client = await connect()
        client.send(GET % b"slow" + b"".join(GET % b"%d" % n for n in range(10_000)))
        await asyncio.sleep(0)
        app.go.set()
        answers = (await client.end()).decode()
        assert re.findall(r"/(\S+) ", answers.replace("HTTP/1.1 ", "")) == ["slow", "0", "1", "2"]

    serving(test, max_pipelined_requests=3)


UPGRADE = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize("cut", [0, 1, -3])
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_an_upgrade_is_ignored(body, cut):
    async def test(app, connect):
        client = await connect()
        client.send(b"GET /a HTTP/1.1\r\n" + UPGRADE + b"\r\n")
        assert await client.answer() == (200, "/a ")
        request = b"POST /b HTTP/1.1\r\n" + UPGRADE + body
        client.send(request[:cut])
        await asyncio.sleep(0.01)
        client.send(request[cut:] + GET % b"c")
        assert await client.answer() == (200, "/b hello")
        assert await client.answer() == (200, "/c ")

    serving(test)

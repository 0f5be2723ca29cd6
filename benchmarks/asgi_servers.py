"""ASGI servers compared, by speed and under abuse: `python -m benchmarks.asgi_servers`.

Needs `pip install granian hypercorn` and `wrk`. Each server answers the same small application,
with its own settings for limits where it has them, and is asked:

- requests per second of 16 clients, the median of several turns;
- a header field of 100 MB: the longest time for which another client waited, and the status;
- 200 connections that send a byte of header every 5 s, and 2,000 silent ones: those that are open
  after 20 s, where the limit is 10 s; and whether another client was answered meanwhile;
- a request that is not valid HTTP: the answer.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time

SECONDS = 10
"""Time limit for a header."""
BYTES = 65_536
"""Size limit for a header."""


async def application(scope, receive, send):
    """Read the body, and answer with a short JSON text."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"14")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"answer": 42}'})


def serve_uvicorn(port, **options):
    """Serve by uvicorn."""
    import uvicorn

    uvicorn.run(application, port=port, access_log=False, log_level="critical", **options)


def serve_ours(port):
    """Serve by uvicorn with the connections of `keras-seq serve`."""
    from keras_seq.serving import Limits
    from keras_seq.serving.connections import protocol

    limits = Limits(header_timeout=SECONDS, max_header_bytes=BYTES)
    serve_uvicorn(port, http=protocol(limits), ws="none")


def serve_hypercorn(port):
    """Serve by Hypercorn."""
    import hypercorn.asyncio

    config = hypercorn.Config.from_mapping(
        bind=f"127.0.0.1:{port}",
        loglevel="CRITICAL",
        keep_alive_timeout=SECONDS,
        read_timeout=SECONDS,
        h11_max_incomplete_size=BYTES,
    )
    asyncio.run(hypercorn.asyncio.serve(application, config))


def serve_granian(port):
    """Serve by Granian."""
    import granian
    from granian.http import HTTP1Settings

    granian.Granian(
        "benchmarks.asgi_servers:application",
        port=port,
        interface="asgi",
        log_enabled=False,
        http1_settings=HTTP1Settings(header_read_timeout=SECONDS * 1000, max_buffer_size=BYTES),
    ).serve()


SERVERS = {
    "uvicorn, httptools": lambda port: serve_uvicorn(port, http="httptools"),
    "uvicorn, h11": lambda port: serve_uvicorn(port, http="h11"),
    "uvicorn, our connections": serve_ours,
    "hypercorn": serve_hypercorn,
    "granian": serve_granian,
}


class Server:
    """One of the servers in a process of its own, until the block ends."""

    def __init__(self, name):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.asgi_servers", "--serve", name]
        self.command = [*command, "--port", str(self.port)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command)
        for _ in range(200):
            try:
                self.seconds()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.command} does not answer.")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def connect(self):
        """Return a connection."""
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def seconds(self):
        """Return the seconds that one new client waits for its answer."""
        begin = time.perf_counter()
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        client.request("POST", "/", b"{}")
        if client.getresponse().status != 200:
            raise OSError("The server refused a proper request.")
        client.close()
        return time.perf_counter() - begin


def requests_per_second(server, seconds):
    """Return what `wrk` measures."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", f"http://127.0.0.1:{server.port}/"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Requests/sec: *([\d.]+)", printed)[1])


def huge_header(server):
    """Send a header field of 100 MB; return the longest wait of others, and the status."""
    waits, done = [], threading.Event()

    def watch():
        while not done.is_set():
            waits.append(server.seconds())
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with server.connect() as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
            for _ in range(1600):
                connection.sendall(b"a" * 65_536)
        except OSError:
            pass  # refused before its end
        status = answer(connection)
    done.set()
    watcher.join()
    return max(waits), status


def answer(connection):
    """Return the first line and the body of what was answered, or why there is nothing."""
    connection.settimeout(10)
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except OSError as error:
        if not received:
            return type(error).__name__
    head, _, body = received.partition(b"\r\n\r\n")
    return (head.split(b"\r\n")[0][9:] + b" " + body[:60]).decode() or "closed"


def slow_ones(server):
    """Open slow and silent connections; return how many are open later, and waits of others."""
    slow, silent, waits = [server.connect() for _ in range(200)], [], []
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nA: ")
    with contextlib.suppress(OSError):  # of a server that accepts no more
        for _ in range(2000):
            silent.append(server.connect())
    begin = dripped = time.monotonic()
    while (now := time.monotonic()) < begin + 20:
        if now > dripped + 5:
            dripped = now
            for connection in slow:
                with contextlib.suppress(OSError):
                    connection.sendall(b"a")
        try:
            waits.append(server.seconds())
        except OSError:
            waits.append(float("inf"))
        time.sleep(0.5)
    counts = [sum(map(is_open, some)) for some in (slow, silent)]
    for connection in (*slow, *silent):
        connection.close()
    return counts, max(waits)


def is_open(connection):
    """Return whether the server has not closed its side."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def main():
    """Compare, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    if options.serve:
        SERVERS[options.serve](options.port)
        return
    rates = {name: [] for name in SERVERS}
    for _ in range(options.turns):
        for name in SERVERS:  # in turn
            with Server(name) as server:
                rates[name].append(requests_per_second(server, options.seconds))
    for name in SERVERS:
        with Server(name) as server:
            wait, status = huge_header(server)
        with Server(name) as server:
            (slow, silent), others = slow_ones(server)
        with Server(name) as server, server.connect() as connection:
            connection.sendall(b"\x00\xff\r\n\r\n")
            malformed = answer(connection)
        row = {
            "server": name,
            "requests per second": round(statistics.median(rates[name])),
            "100 MB header: others wait, s": round(wait, 3),
            "answer to it": status,
            "slow open": slow,
            "silent open": silent,
            "others wait meanwhile, s": round(others, 3),
            "answer to malformed HTTP": malformed,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

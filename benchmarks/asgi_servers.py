"""Comparison of ASGI servers: `python -m benchmarks.asgi_servers`.

Needs `pip install granian hypercorn` and `wrk`. Each server runs the same small application, with
its own settings for limits where it has them. The measurements:

- requests per second with 16 clients, the median of several turns;
- a header field of 100 MB: the longest delay of another client, and the response;
- 200 connections that send one byte of header every 5 s, and 2,000 silent ones: the number still
  open after 20 s with a limit of 10 s, and the longest delay of another client;
- a request that is not valid HTTP: the response.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

SECONDS = 10
"""Time limit for a header."""
BYTES = 65_536
"""Size limit for a header."""


async def application(
    scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
) -> None:
    """Read the body and respond with a short JSON text."""
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


def serve_uvicorn(port: int, **options: Any) -> None:
    """Serve by uvicorn."""
    import uvicorn

    uvicorn.run(application, port=port, access_log=False, log_level="critical", **options)


def serve_ours(port: int) -> None:
    """Serve by uvicorn with the connection limits of `keras-seq serve`."""
    from keras_seq.serving import Limits
    from keras_seq.serving.connections import limited_protocol

    limits = Limits(header_timeout=SECONDS, max_header_bytes=BYTES)
    serve_uvicorn(port, http=limited_protocol(limits), ws="none")


def serve_hypercorn(port: int) -> None:
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


def serve_granian(port: int) -> None:
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


SERVERS: dict[str, Callable[[int], None]] = {
    "uvicorn, httptools": lambda port: serve_uvicorn(port, http="httptools"),
    "uvicorn, h11": lambda port: serve_uvicorn(port, http="h11"),
    "uvicorn, with our limits": serve_ours,
    "hypercorn": serve_hypercorn,
    "granian": serve_granian,
}


class Server:
    """Context manager that runs one of the servers in a process of its own."""

    def __init__(self, name: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.asgi_servers", "--serve", name]
        self.command = [*command, "--port", str(self.port)]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self.command)
        for _ in range(200):
            try:
                self.seconds()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"No response from {self.command}.")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def seconds(self) -> float:
        """Return the seconds that a new client waits for its response."""
        begin = time.perf_counter()
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        client.request("POST", "/", b"{}")
        if client.getresponse().status != 200:
            raise OSError("The server rejected a valid request.")
        client.close()
        return time.perf_counter() - begin


def requests_per_second(server: Server, seconds: int) -> float:
    """Return the throughput that `wrk` measures."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", f"http://127.0.0.1:{server.port}/"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.partition("Requests/sec:")[2].split()[0])


def huge_header(server: Server) -> tuple[float, str]:
    """Send a header field of 100 MB; return the longest delay of others, and the response."""
    delays, done = [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            delays.append(server.seconds())
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with server.connect() as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
            for _ in range(1600):
                connection.sendall(b"a" * 65_536)
        except OSError:
            pass  # rejected before its end
        response = read_response(connection)
    done.set()
    watcher.join()
    return max(delays), response


def read_response(connection: socket.socket) -> str:
    """Return the status line and the body of a response, or the error if there is none."""
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


def slow_connections(server: Server) -> tuple[list[int], float]:
    """Return the numbers of slow and silent connections open at the end, and the longest delay."""
    slow, silent, delays = [server.connect() for _ in range(200)], [], []
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nA: ")
    with contextlib.suppress(OSError):  # if the server accepts no more
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
            delays.append(server.seconds())
        except OSError:
            delays.append(float("inf"))
        time.sleep(0.5)
    counts = [sum(map(is_open, connections)) for connections in (slow, silent)]
    for connection in (*slow, *silent):
        connection.close()
    return counts, max(delays)


def is_open(connection: socket.socket) -> bool:
    """Return whether the server has not closed a connection."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def main() -> None:
    """Compare the servers and print one JSON line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    if options.serve:
        SERVERS[options.serve](options.port)
        return
    rates: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(options.turns):
        for name in SERVERS:
            with Server(name) as server:
                rates[name].append(requests_per_second(server, options.seconds))
    for name in SERVERS:
        with Server(name) as server:
            delay, response = huge_header(server)
        with Server(name) as server:
            (slow, silent), slow_delay = slow_connections(server)
        with Server(name) as server, server.connect() as connection:
            connection.sendall(b"\x00\xff\r\n\r\n")
            malformed = read_response(connection)
        row = {
            "server": name,
            "requests_per_second": round(statistics.median(rates[name])),
            "huge_header_delay_s": round(delay, 3),
            "huge_header_response": response,
            "num_slow_open": slow,
            "num_silent_open": silent,
            "slow_connections_delay_s": round(slow_delay, 3),
            "malformed_response": malformed,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

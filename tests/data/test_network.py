"""Tests of network access with a timeout."""

import socket
import threading
import time

import pytest

from keras_seq.data import network


def test_items_keep_their_order():
    assert list(network.iter_with_timeout(range(100))) == list(range(100))


def test_errors_of_the_iterator_are_raised():
    def items():
        yield 1
        raise KeyError("which")

    items_in_time = network.iter_with_timeout(items())
    assert next(items_in_time) == 1
    with pytest.raises(KeyError, match="which"):
        next(items_in_time)


def test_timeout():
    go = threading.Event()

    def items():
        yield 1
        go.wait()

    items_in_time = network.iter_with_timeout(items(), 0.01)
    assert next(items_in_time) == 1
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 seconds"):
        next(items_in_time)
    go.set()


@pytest.fixture
def silent_server():
    """Yield the address of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def error_server():
    """Yield the address of a server that responds with status 503."""

    def respond(listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 503 No\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=respond, args=(listening,), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_error_responses_count_as_answers(no_proxy, silent_server, error_server):
    assert network.is_reachable(f"http://{error_server}")
    assert not network.is_reachable(f"http://{silent_server}", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not network.is_reachable(f"http://127.0.0.1:{port}")


def test_slow_name_resolution(no_proxy, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(0.2))
    assert not network.is_reachable("http://somewhere.invalid", 0.01)


def test_proxies(no_proxy, monkeypatch, silent_server, error_server):
    monkeypatch.setenv("https_proxy", f"http://{silent_server}")
    assert not network.is_reachable("https://somewhere.invalid", 0.05)
    monkeypatch.setenv("http_proxy", f"http://{error_server}")
    assert network.is_reachable("http://somewhere.invalid")

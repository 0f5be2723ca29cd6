"""An answer or an end within a stated time."""

import socket
import threading
import time

import pytest

from keras_seq.data import network


def test_items_arrive_in_their_order():
    assert list(network.iter_with_timeout(range(100))) == list(range(100))


def test_an_error_is_that_of_the_iterator():
    def items():
        yield 1
        raise KeyError("which")

    found = network.iter_with_timeout(items())
    assert next(found) == 1
    with pytest.raises(KeyError, match="which"):
        next(found)


def test_silence_ends():
    go = threading.Event()

    def items():
        yield 1
        go.wait()

    found = network.iter_with_timeout(items(), 0.01)
    assert next(found) == 1
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 seconds"):
        next(found)
    go.set()


@pytest.fixture
def silent():
    """Address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def speaking():
    """Address of a server that says 503."""

    def answer(listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 503 No\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_any_answer_is_an_answer(no_proxy, silent, speaking):
    assert network.is_reachable(f"http://{speaking}")
    assert not network.is_reachable(f"http://{silent}", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not network.is_reachable(f"http://127.0.0.1:{port}")


def test_names_that_are_not_resolved(no_proxy, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(0.2))
    assert not network.is_reachable("http://somewhere.invalid", 0.01)


def test_a_proxy_that_is_dead(no_proxy, monkeypatch, silent, speaking):
    monkeypatch.setenv("https_proxy", f"http://{silent}")
    assert not network.is_reachable("https://somewhere.invalid", 0.05)
    monkeypatch.setenv("http_proxy", f"http://{speaking}")
    assert network.is_reachable("http://somewhere.invalid")

"""Checks of the Host and Origin headers."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from keras_seq.demo.hosts import HostMiddleware, Hosts

LOCAL = ["localhost", "localhost:7860", "127.0.0.1:7860", "127.0.0.2", "[::1]:80", "LOCALHOST"]
FOREIGN = [
    "somewhere.invalid",
    "",
    "localhost.somewhere.invalid",
    "127.0.0.1.invalid",
    "[::1",
    "a b",
]
ADDRESSES = ["192.0.2.1:80", "[2001:db8::1]:80"]


def status(hosts, **headers):
    client = TestClient(HostMiddleware(PlainTextResponse("a page"), hosts), "http://127.0.0.1")
    return client.post("/", headers=headers).status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_the_loopback_address(host):
    hosts = Hosts(host)
    assert {status(hosts, Host=name) for name in LOCAL} == {200}
    assert {status(hosts, Host=name) for name in [*FOREIGN, *ADDRESSES]} == {400}
    assert status(Hosts(host, ["Somewhere.invalid"]), Host="somewhere.invalid:80") == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "my.name"])
def test_on_other_addresses(host, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "This-Machine")
    hosts = Hosts(host)
    assert {status(hosts, Host=name) for name in [*LOCAL, *ADDRESSES, "this-machine"]} == {200}
    assert {status(hosts, Host=name) for name in FOREIGN} == {400}
    assert status(hosts, Host="my.name") == (200 if host == "my.name" else 400)
    assert status(Hosts(host, ["*"]), Host="somewhere.invalid") == 200


def test_other_sites():
    hosts = Hosts(allowed=["page.invalid"])
    for origin in ("http://127.0.0.1:7860", "https://page.invalid"):
        assert status(hosts, Host="127.0.0.1:7860", Origin=origin) == 200
    for origin in ("http://127.0.0.1:80", "null", "https://somewhere.invalid", "http://[", ""):
        assert status(hosts, Host="127.0.0.1:7860", Origin=origin) == 403, origin

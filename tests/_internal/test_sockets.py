"""Listening sockets, and errors for unavailable addresses."""

import asyncio
import socket

import pytest

from keras_seq._internal.errors import InputError
from keras_seq._internal.sockets import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_socket_listens_at_once(host):
    listening, address = listen(host, 0)
    with listening:
        port = listening.getsockname()[1]
        name = "127.0.0.1" if host == "0.0.0.0" else host
        assert address == f"http://{name}:{port}"
        socket.create_connection((name, port)).close()
        with pytest.raises(InputError, match=f"port {port}: Address already in use"):
            listen(host, port)


def test_answers_are_sent_without_delay():
    """Otherwise each small answer may wait 40 ms for an acknowledgement of the client."""

    async def delays():
        set_to = asyncio.get_running_loop().create_future()

        def connected(_, writer):
            client = writer.get_extra_info("socket")
            set_to.set_result(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listening, _ = listen("127.0.0.1", 0)
        address = listening.getsockname()
        async with await asyncio.start_server(connected, sock=listening):
            with socket.create_connection(address):
                return await set_to

    assert asyncio.run(delays()) != 0


@pytest.mark.parametrize("port", [-1, 65_536, 99_999, 10**30])
def test_ports_out_of_range(port):
    with pytest.raises(InputError, match=f"--port must be from 0 to 65535, got {port}"):
        listen("127.0.0.1", port)


@pytest.mark.parametrize(
    "host", ["203.0.113.1", "nowhere.invalid", "a..b", "a\0b", "1.2.3", "x" * 300, "::zz"]
)
def test_hosts_that_are_not_this_machine(host):
    with pytest.raises(InputError, match=r"Cannot listen at .*, port 0: .*--host") as error:
        listen(host, 0)
    assert "\n" not in str(error.value)

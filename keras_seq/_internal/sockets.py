"""Sockets that listen before a server is ready to answer."""

import socket

from keras_seq._internal.errors import InputError

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Local address of this machine, for each address that stands for all its interfaces."""


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Return a listening socket and its address as a URL.

    Args:
        host: Name or address of this machine.
        port: Port from 0 to 65535; 0 for any free port.

    Raises:
        InputError: If the port is out of range or the address is unavailable.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"--port must be from 0 to 65535, got {port}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, TypeError, ValueError) as error:  # the last two for invalid host names
        reason = getattr(error, "strerror", None) or "not a host name"
        raise InputError(
            f"Cannot listen at {host!r}, port {port}: {reason}. Change --host or --port."
        ) from None
    # asyncio disables delays of small packets only if the protocol of the socket is explicit.
    listening = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listening.detach()
    )
    name = LOOPBACK.get(host, host)
    name = f"[{name}]" if ":" in name else name
    return listening, f"http://{name}:{listening.getsockname()[1]}"

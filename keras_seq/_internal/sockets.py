"""Sockets that listen before there is anything to answer with."""

import socket

from keras_seq._internal.errors import InputError

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Address at which this machine itself reaches what listens at all its addresses."""


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Return a socket that accepts connections already, and its address as a URL.

    Args:
        host: Name or address of this machine.
        port: 0 to 65535; 0 for any free port.

    Raises:
        InputError: If nothing can listen there.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"--port must be from 0 to 65535, not {port}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, TypeError, ValueError) as error:  # no OSError: what cannot name a host
        reason = getattr(error, "strerror", None) or "not the name of a host"
        raise InputError(
            f"Cannot listen at {host!r}, port {port}: {reason}. Choose with --host and --port."
        ) from None
    # asyncio sends answers without delay only where the protocol of the socket is stated.
    listening = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listening.detach()
    )
    name = LOOPBACK.get(host, host)
    name = f"[{name}]" if ":" in name else name
    return listening, f"http://{name}:{listening.getsockname()[1]}"

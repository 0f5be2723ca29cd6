"""The page behind a socket, until it is told to stop."""

import socket

import uvicorn

from keras_seq.errors import InputError

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to look for what listens at every address of this machine."""


def listen(host, port):
    """A socket that takes connections already, and the address of the page.

    Args:
        host: Name or address.
        port: 0 for any that is free.

    Raises:
        InputError: It cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"The page cannot be at {host}, port {port}: {error.strerror}; choose with --host and "
            "--port."
        ) from None
    name = EVERYWHERE.get(host, host)
    name = f"[{name}]" if ":" in name else name
    return listening, f"http://{name}:{listening.getsockname()[1]}"


def serve(app, listening):
    """Answers until SIGINT or SIGTERM.

    Args:
        app: ASGI application.
        listening: Of `listen`.
    """
    # An open page keeps a connection open: one does not wait for it, nor read how it was cut.
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])

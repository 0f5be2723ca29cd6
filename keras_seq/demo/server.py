"""Server of the demo page."""

import socket

import uvicorn
from starlette.types import ASGIApp

from keras_seq._internal.sockets import listen
from keras_seq.serving.connections import limited_protocol
from keras_seq.serving.limits import Limits

__all__ = ["CONNECTION_LIMITS", "listen", "serve"]

# An open page keeps one request unanswered for as long as it is open. `GateMiddleware` has a
# shorter limit for the others.
CONNECTION_LIMITS = Limits(request_timeout=24 * 3_600)
"""Limits of the connections to a page: their number, and the time and size of a header."""


def serve(
    app: ASGIApp, listening: socket.socket, connection_limits: Limits = CONNECTION_LIMITS
) -> None:
    """Serve a page until SIGINT or SIGTERM.

    Args:
        app: ASGI application.
        listening: Listening socket, see `listen`.
        connection_limits: Limits of the connections.
    """
    # An open page keeps its connection open. The server does not wait for it, and does not log
    # that it was closed.
    config = uvicorn.Config(
        app,
        http=limited_protocol(connection_limits),
        ws="none",
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listening])

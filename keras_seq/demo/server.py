"""Server of the demo page."""

import socket

import uvicorn
from starlette.types import ASGIApp

from keras_seq._internal.sockets import listen

__all__ = ["listen", "serve"]


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve a page until SIGINT or SIGTERM.

    Args:
        app: ASGI application.
        listening: Listening socket, see `listen`.
    """
    # An open page keeps its connection open. The server does not wait for it, and does not log
    # that it was closed.
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])

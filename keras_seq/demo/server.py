"""The page behind a socket, until it is told to stop."""

import uvicorn

from keras_seq._internal.sockets import listen

__all__ = ["listen", "serve"]


def serve(app, listening):
    """Answers until SIGINT or SIGTERM.

    Args:
        app: ASGI application.
        listening: Of `listen`.
    """
    # An open page keeps a connection open: one does not wait for it, nor read how it was cut.
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])

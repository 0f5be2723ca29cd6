"""HTTP server of the application, with graceful shutdown."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping

import uvicorn

from keras_seq._internal import startup
from keras_seq.serving.app import create_app
from keras_seq.serving.connections import limited_protocol
from keras_seq.serving.limits import Limits

logger = logging.getLogger("keras_seq.serving")

DRAIN_SECONDS = 1.0
"""Time for open connections to send a last request at shutdown, in seconds."""


class DrainingServer(uvicorn.Server):
    """uvicorn server that answers every received request before it stops.

    At shutdown it accepts no new connections, and sends `Connection: close` with the next response
    on each open one. Closing them at once would lose requests that are being sent.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain the open connections, and stop."""
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]
        for server in self.servers:
            server.close()
        end = time.monotonic() + DRAIN_SECONDS
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def serve(
    folders: Mapping[str, str | os.PathLike[str]],
    listening: socket.socket,
    address: str,
    limits: Limits,
    max_versions: int,
    poll_interval: float,
) -> None:
    """Serve models until SIGTERM or SIGINT, then answer the received requests and return.

    Args:
        folders: Folder of each model by name, see `create_app`.
        listening: Listening socket.
        address: URL of the server, for the log.
        limits: Limits on requests.
        max_versions: Number of versions served per model, see `create_app`.
        poll_interval: Time between scans for new versions, in seconds.
    """
    # Forced, since exporting a run may have configured logging.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    logger.info("importing TensorFlow")
    startup.import_tensorflow()
    config = uvicorn.Config(
        create_app(folders, limits, max_versions, poll_interval),
        http=limited_protocol(limits),
        ws="none",
        access_log=False,
        log_config=None,
    )
    logger.info("keras-seq is running on %s", address)
    DrainingServer(config).run(sockets=[listening])

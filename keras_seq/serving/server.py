"""The application behind a socket, until it is told to stop."""

import asyncio
import logging
import time

import uvicorn

from keras_seq._internal import startup
from keras_seq.serving.app import application
from keras_seq.serving.connections import protocol

logger = logging.getLogger("keras_seq.serving")

DRAIN = 1.0
"""Seconds that open connections have to send a last request when the server stops."""


class Server(uvicorn.Server):
    """Stops without a request that came in and is not answered.

    No connections are accepted any more, and each that is open is told with its next answer that
    it was the last. To close them at once would lose what a client was just sending.
    """

    async def shutdown(self, sockets=None):
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]
        for server in self.servers:
            server.close()
        end = time.monotonic() + DRAIN
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def serve(folders, listening, address, limits, max_versions, poll_interval):
    """Serve models until SIGTERM or SIGINT, then answer what came in and return.

    Args:
        folders, limits, max_versions, poll_interval: As in `keras_seq.serving.app.application`.
        listening: Socket that listens.
        address: URL of it, for the log.
    """
    # By force, since what has exported a run before may have set up a log of its own.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    startup.import_tensorflow()
    config = uvicorn.Config(
        application(folders, limits, max_versions, poll_interval),
        http=protocol(limits),
        ws="none",
        access_log=False,
        log_config=None,
    )
    logger.info("keras-seq is running on %s", address)
    Server(config).run(sockets=[listening])

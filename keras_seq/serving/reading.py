"""Bodies of requests, as they arrive."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request

from keras_seq.serving.bodies import ENCODINGS
from keras_seq.serving.limits import Limits


class Reader:
    """Reads bodies of requests within the limits.

    Args:
        limits: `Limits`.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._buffered = 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """Yield the body of a request, which counts as buffered until the block ends.

        Raises:
            HTTPException: If it is too large, too slow, or too many are buffered.
        """
        raw = bytearray()
        try:
            await self._receive(request, raw)
            yield raw
        finally:
            self._buffered -= len(raw)

    async def _receive(self, request: Request, raw: bytearray) -> None:
        most, seconds = self.limits.max_body_bytes, self.limits.request_timeout
        close = {"Connection": "close"}
        try:
            async with asyncio.timeout(seconds):
                async for part in request.stream():
                    raw += part
                    self._buffered += len(part)
                    if len(raw) > most:
                        message = f"The body has more than {most} bytes, which is the most taken."
                        raise HTTPException(413, message, close)
                    if self._buffered > self.limits.max_buffered_bytes:
                        message = "Other bodies take all memory for bodies: try again later."
                        raise HTTPException(503, message, close | {"Retry-After": "1"})
        except TimeoutError:
            message = f"The body did not arrive within {seconds:g} seconds."
            raise HTTPException(408, message, close) from None


def encoding_of(request: Request) -> str | None:
    """Return the compression of the body of a request, None if there is none.

    Raises:
        HTTPException: If it is unknown.
    """
    given = request.headers.get("content-encoding", "").strip().lower()
    if given in ("", "identity"):
        return None
    if given not in ENCODINGS:
        raise HTTPException(
            415,
            f"The Content-Encoding {given[:50]!r} is unknown: send gzip, deflate or none.",
            {"Accept-Encoding": "gzip, deflate"},
        )
    return given

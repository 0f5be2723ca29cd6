"""Reading of request bodies with limits on size, time and memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request

from keras_seq.serving.bodies import ENCODINGS
from keras_seq.serving.limits import Limits


class BodyReader:
    """Reader of request bodies that limits the memory of all bodies together.

    Args:
        limits: Limits on requests.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._buffered_bytes = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytearray]:
        """Yield the body of a request. It counts as buffered until the block ends.

        Args:
            request: Starlette request.

        Raises:
            HTTPException: If the body is too large or too slow, or too many bytes are buffered.
        """
        raw = bytearray()
        try:
            await self._receive(request, raw)
            yield raw
        finally:
            self._buffered_bytes -= len(raw)

    async def _receive(self, request: Request, raw: bytearray) -> None:
        max_bytes, timeout = self.limits.max_body_bytes, self.limits.request_timeout
        close = {"Connection": "close"}
        try:
            async with asyncio.timeout(timeout):
                async for chunk in request.stream():
                    raw += chunk
                    self._buffered_bytes += len(chunk)
                    if len(raw) > max_bytes:
                        message = f"The body exceeds the maximum of {max_bytes} bytes."
                        raise HTTPException(413, message, close)
                    if self._buffered_bytes > self.limits.max_buffered_bytes:
                        message = "The memory for request bodies is used up: try again later."
                        raise HTTPException(503, message, close | {"Retry-After": "1"})
        except TimeoutError:
            message = f"The body did not arrive within {timeout:g} seconds."
            raise HTTPException(408, message, close) from None


def content_encoding(request: Request) -> str | None:
    """Return the `Content-Encoding` of a request, or None for an uncompressed body.

    Args:
        request: Starlette request.

    Raises:
        HTTPException: If the encoding is not supported.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in ENCODINGS:
        raise HTTPException(
            415,
            f"Content-Encoding {encoding[:50]!r} is not supported: use gzip, deflate or none.",
            {"Accept-Encoding": "gzip, deflate"},
        )
    return encoding

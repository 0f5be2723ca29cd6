"""HTTP/1.1 connections with limits on number, size and time."""

import asyncio
import functools
import json
from typing import Any

import httptools
from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from keras_seq.serving.limits import Limits

LINGER_SECONDS = 1.0
"""Time for a rejected client to read the response before disconnection, in seconds."""


class RequestError(Exception):
    """Error for a request that is rejected while it is parsed.

    Args:
        status: HTTP status.
        detail: Reason, for the client.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def limited_protocol(limits: Limits) -> Any:
    """Return a value for the argument `http` of `uvicorn.Config` that applies limits."""
    return functools.partial(LimitedConnection, limits, {})


class LimitedConnection(HttpToolsProtocol):
    """Connection that always has a deadline.

    uvicorn limits neither the size of a header nor the time that it takes to arrive.

    Args:
        limits: Limits on requests.
        incomplete: Connections of the server whose current request is incomplete, oldest first, as
            keys of a dict that all connections share.
        **uvicorn: Arguments of the base class.
    """

    def __init__(
        self, limits: Limits, incomplete: "dict[LimitedConnection, None]", **uvicorn: Any
    ) -> None:
        super().__init__(**uvicorn)
        self.limits, self.incomplete = limits, incomplete
        self.timeout_keep_alive = limits.keep_alive_timeout  # type: ignore[assignment]
        self._in_header = self._ignores_input = self._repeats_header = False
        self._bytes_since_callback = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Set the first deadline, and evict a connection if too many are open."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + self.limits.header_timeout
        self._timer = self.loop.call_at(self._deadline, self._check_deadline)
        if len(self.connections) > self.limits.max_connections:
            next(iter(self.incomplete), self)._evict(self)
        if not self._ignores_input:
            self.incomplete[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        self._timer.cancel()
        self.incomplete.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, and reject malformed or too large requests."""
        if self._ignores_input:
            return
        self._unset_keepalive_if_required()
        self._bytes_since_callback += len(data)
        try:
            while data:
                data = self._parse(data)
        except httptools.HttpParserError as error:
            # If a callback raised an exception, it is the context of the parser's error.
            cause = error.__context__
            malformed = RequestError(400, "The request is not valid HTTP/1.1.")
            self._reject(cause if isinstance(cause, RequestError) else malformed)
        else:
            # The parser calls no callback within a header field or a chunk extension, which can be
            # endless.
            if self._bytes_since_callback > self.limits.max_header_bytes:
                self._reject(self._header_too_large())

    def _parse(self, data: bytes) -> bytes:
        """Parse bytes, and return those after the header of a request for another protocol.

        The server supports no other protocol, so such a request is answered as if it did not ask.
        The parser, however, takes everything after the header for the other protocol.
        """
        try:
            self.parser.feed_data(data)
            return b""
        except httptools.HttpParserUpgrade as upgrade:
            if self.scope["method"] == "CONNECT":
                self.cycle.keep_alive = False
                return b""
            self.parser = httptools.HttpRequestParser(self)
            if fields := self._body_fields():
                self._repeats_header = True
                self.parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % fields)
                self._repeats_header = False
            return data[upgrade.args[0] :]

    def _body_fields(self) -> bytes:
        """Return the fields of the header that tell the length of the body."""
        names = (b"content-length", b"transfer-encoding")
        return b"".join(b"%s: %s\r\n" % field for field in self.headers if field[0] in names)

    # Callbacks of the parser.

    def on_url(self, url: bytes) -> None:
        """Receive a part of a URL."""
        if not self._repeats_header:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a field of a header."""
        if not self._repeats_header:
            super().on_header(name, value)

    def on_message_begin(self) -> None:
        """Set the deadline of a header."""
        if self._repeats_header:
            return
        super().on_message_begin()
        self._in_header = True
        self.incomplete[self] = None
        if not self._is_answering():
            self._set_deadline(self.limits.header_timeout)

    def on_headers_complete(self) -> None:
        """Check the size of a header, and the number of unanswered requests."""
        if self._repeats_header:
            return
        # The header has at most the bytes received since the last request.
        if self._bytes_since_callback > self.limits.max_header_bytes:
            fields = sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
            if len(self.url) + fields > self.limits.max_header_bytes:
                raise self._header_too_large()
        if len(self.pipeline) >= self.limits.max_pipelined_requests:
            raise RequestError(429, "The connection has too many unanswered requests.")
        super().on_headers_complete()
        self._in_header, self._bytes_since_callback = False, 0
        self._set_deadline(self._max_request_seconds)

    def on_body(self, body: bytes) -> None:
        """Receive a part of a body."""
        self._bytes_since_callback = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        if self.parser.should_upgrade() and self._body_fields():
            return  # The parser left out the body.
        self._bytes_since_callback = 0
        self.incomplete.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Set the deadline for the next request, or for the client to read."""
        super().on_response_complete()
        if self._is_answering():
            self._set_deadline(self._max_request_seconds)
        elif self._in_header:
            self._unset_keepalive_if_required()
            self._set_deadline(self.limits.header_timeout)
        else:
            # Later than uvicorn's own timer, which any received byte resets, and which keeps a
            # connection whose client does not read its response.
            is_unread = self.transport.get_write_buffer_size() > 0
            extra = self.limits.request_timeout if is_unread else LINGER_SECONDS
            self._set_deadline(self.limits.keep_alive_timeout + extra)

    # Limits.

    @property
    def _max_request_seconds(self) -> float:
        """Time to receive and parse a body, run the model, and format and send the response."""
        return 5 * self.limits.request_timeout

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _header_too_large(self) -> RequestError:
        max_bytes = self.limits.max_header_bytes
        return RequestError(431, f"The header exceeds the maximum of {max_bytes} bytes.")

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        # An earlier timer is kept, since most deadlines are extended before it fires.
        if self._deadline < self._timer.when():
            self._timer.cancel()
            self._timer = self.loop.call_at(self._deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        if self.loop.time() >= self._deadline:
            self._expire()
        self._timer = self.loop.call_at(self._deadline, self._check_deadline)

    def _expire(self) -> None:
        if self.transport.is_closing() or self._ignores_input or self._is_answering():
            self.transport.abort()
        elif self._in_header:
            seconds = self.limits.header_timeout
            message = f"The header did not arrive within {seconds:g} seconds."
            self._reject(RequestError(408, message))
        else:
            self.transport.close()
        self._set_deadline(LINGER_SECONDS)

    def _reject(self, error: RequestError) -> None:
        """Respond to a request that cannot be parsed, after the responses to earlier ones."""
        self._ignores_input = True
        self.incomplete.pop(self, None)
        if not self._is_answering():
            self._send_last_response(error)
        elif self._in_header:
            # Earlier requests are answered. The last of these responses closes the connection.
            self.cycle.keep_alive = False
        elif self.pipeline:
            headers = {"connection": "close"}
            response: Any = JSONResponse({"error": error.detail}, error.status, headers)
            self.pipeline[0] = (self.cycle, response)
        else:
            self._interrupt(error)

    def _evict(self, newcomer: "LimitedConnection") -> None:
        """Close this connection in favor of a new one, or because it is the new one."""
        self.incomplete.pop(self, None)
        self.connections.discard(self)
        message = "Too many connections are open: try again later."
        self._interrupt(RequestError(503 if self is newcomer else 408, message))
        self.transport.close()

    def _interrupt(self, error: RequestError) -> None:
        """End a connection at once, even if the application waits for the rest of a body."""
        self._ignores_input = True
        if not self._is_answering():
            self._send_last_response(error)
            return
        has_response = self.pipeline or self.cycle.response_started
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if has_response:
            self.transport.close()
        else:
            self._send_last_response(error)

    def _send_last_response(self, error: RequestError) -> None:
        """Send a last response, and keep the connection open for the client to read it."""
        body = json.dumps({"error": error.detail}).encode()
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.write_eof()
        self._set_deadline(LINGER_SECONDS)

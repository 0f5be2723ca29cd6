"""HTTP/1.1 connections with limits on size, time and number."""

import asyncio
import functools
import json
from typing import Any

import httptools
from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from keras_seq.serving.limits import Limits

LINGER = 1.0
"""Seconds that a refused client has to read the reason before its connection is cut."""


class Refused(Exception):
    """A request that is refused while it is parsed.

    Args:
        status: HTTP status.
        sentence: Reason, for the client.
    """

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def protocol(limits: Limits) -> Any:
    """Return the `http` argument of `uvicorn.Config` that applies the limits."""
    return functools.partial(Connection, limits, {})


class Connection(HttpToolsProtocol):
    """One connection, which always has a deadline.

    uvicorn limits neither the bytes of a header nor the time that it takes to arrive.

    Args:
        limits: `Limits`.
        arriving: Connections whose next request has not arrived completely, as keys of a dict,
            oldest first; shared by all connections of a server.
        **uvicorn: Arguments of uvicorn's class.
    """

    def __init__(self, limits: Limits, arriving: dict, **uvicorn: Any):
        super().__init__(**uvicorn)
        self.limits, self.arriving = limits, arriving
        self.timeout_keep_alive = limits.keep_alive_timeout  # type: ignore[assignment]
        self._in_head = self._ignores_input = False
        self._stalled_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.time() + self.limits.header_timeout
        self._timer = self.loop.call_at(self._deadline, self._check_deadline)
        if len(self.connections) > self.limits.max_connections:
            next(iter(self.arriving), self)._make_room(self)
        if not self._ignores_input:
            self.arriving[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self.arriving.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        self._unset_keepalive_if_required()
        self._stalled_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The parser has stopped behind this request, and the server upgrades to nothing.
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            # What a callback raised is the context of the parser's error.
            cause = error.__context__
            malformed = Refused(400, "The request is not valid HTTP/1.1.")
            self._refuse(cause if isinstance(cause, Refused) else malformed)
        else:
            # The parser buffers an endless header field, and skips an endless chunk extension,
            # without a callback.
            if self._stalled_bytes > self.limits.max_header_bytes:
                self._refuse(self._header_too_large())

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self.arriving[self] = None
        if not self._is_answering():
            self._allow(self.limits.header_timeout)

    def on_headers_complete(self) -> None:
        # As long as all bytes that have come since the last request are few, the header's are.
        if self._stalled_bytes > self.limits.max_header_bytes:
            fields = sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
            if len(self.url) + fields > self.limits.max_header_bytes:
                raise self._header_too_large()
        if len(self.pipeline) >= self.limits.max_pipelined_requests:
            raise Refused(429, "The connection has too many requests that are not answered.")
        super().on_headers_complete()
        self._in_head, self._stalled_bytes = False, 0
        self._allow(self._longest_request)

    def on_body(self, body: bytes) -> None:
        self._stalled_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stalled_bytes = 0
        self.arriving.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_answering():
            self._allow(self._longest_request)
        elif self._in_head:
            self._unset_keepalive_if_required()
            self._allow(self.limits.header_timeout)
        else:
            # Later than uvicorn's own timer, which is reset by bytes that begin no request, and
            # does not end a connection whose client does not read its answer.
            unread = self.transport.get_write_buffer_size() > 0
            rest = self.limits.request_timeout if unread else LINGER
            self._allow(self.limits.keep_alive_timeout + rest)

    # Limits.

    @property
    def _longest_request(self) -> float:
        """Seconds to receive a body, parse it, run the model, format its answer, and send that."""
        return 5 * self.limits.request_timeout

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _header_too_large(self) -> Refused:
        most = self.limits.max_header_bytes
        return Refused(431, f"The header has more than {most} bytes, which is the most taken.")

    def _allow(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        # A timer that is too early is not replaced, since most deadlines are extended in time.
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
        elif self._in_head:
            seconds = self.limits.header_timeout
            self._refuse(Refused(408, f"The header did not arrive within {seconds:g} seconds."))
        else:
            self.transport.close()
        self._allow(LINGER)

    def _refuse(self, refused: Refused) -> None:
        """Answer a request that cannot be parsed, after the requests before it."""
        self._ignores_input = True
        self.arriving.pop(self, None)
        if not self._is_answering():
            self._end(refused)
        elif self._in_head:
            # Earlier requests are answered; the last of these answers says that it is the last.
            self.cycle.keep_alive = False
        elif self.pipeline:
            headers = {"connection": "close"}
            answer: Any = JSONResponse({"error": refused.sentence}, refused.status, headers)
            self.pipeline[0] = (self.cycle, answer)
        else:
            self._interrupt(refused)

    def _make_room(self, newcomer: "Connection") -> None:
        """Close a connection whose request has not arrived completely, or the new one itself."""
        self.arriving.pop(self, None)
        self.connections.discard(self)
        full = "Too many connections are open: try again later."
        self._interrupt(Refused(503 if self is newcomer else 408, full))
        self.transport.close()

    def _interrupt(self, refused: Refused) -> None:
        """End a connection at once, although the application waits for the rest of a body."""
        self._ignores_input = True
        if not self._is_answering():
            self._end(refused)
            return
        begun = self.pipeline or self.cycle.response_started
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if begun:
            self.transport.close()
        else:
            self._end(refused)

    def _end(self, refused: Refused) -> None:
        """Write a last answer; what else arrives is ignored, so that the client can read it."""
        body = json.dumps({"error": refused.sentence}).encode()
        self.transport.write(
            STATUS_LINE[refused.status]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.write_eof()
        self._allow(LINGER)

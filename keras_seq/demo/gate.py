"""Middleware that lets only known routes, small bodies and uploaded files reach Gradio.

Gradio serves more routes than the page needs. Unless its attribute `has_launched` is set, it also
accepts the path of any file on the machine as an upload. The page does not rely on that attribute.
"""

import asyncio
import dataclasses
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keras_seq.demo.folder import PageFolder

GET_PATHS = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info/?|app_id/?|startup-events|theme\.css|upload_progress|heartbeat/[^/]+"
    r"|queue/(data|status)|call/\w+/\w+)"
)
"""Paths that accept GET."""
FILE_PREFIX = "/gradio_api/file="
"""Prefix of paths of files in the `PageFolder`."""
UPLOAD_PATH = "/gradio_api/upload"
"""Path of uploads."""
QUESTION_PATHS = re.compile(r"/gradio_api/(queue/join|call/(?P<name>\w+)/?)")
"""Paths that call a function of the page."""
CONTROL_PATHS = re.compile(r"/gradio_api/(cancel|reset/?)")
"""Other paths that accept JSON by POST."""


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """Limits on the requests to a page."""

    max_json_bytes: int = 100_000
    """Maximum size of a JSON body, in bytes."""
    max_upload_bytes: int = 20 * 2**20
    """Maximum size of an upload, in bytes."""
    max_folder_bytes: int = 500 * 2**20
    """Maximum size of all uploads and answers, in bytes."""
    max_files: int = 8
    """Maximum number of files per question."""
    request_timeout: float = 60.0
    """Maximum time for a request to arrive, in seconds."""


class RequestError(Exception):
    """Error for a rejected request.

    Args:
        status: HTTP status.
        detail: Message for the visitor.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class GateMiddleware:
    """ASGI middleware in front of a Gradio application.

    Args:
        app: Gradio application.
        folder: Folder in which Gradio keeps uploads and answers.
        functions: Name and allowed numbers of inputs of each function of the page, by index.
        check_queue: Function of the IP address of a visitor. It raises `RequestError` if too many
            questions from that address are waiting.
        limits: Limits on requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        folder: PageFolder,
        functions: dict[int, tuple[str, range]],
        check_queue: Callable[[str], None],
        limits: RequestLimits = RequestLimits(),
    ) -> None:
        self.app, self.folder, self.functions = app, folder, functions
        self.check_queue, self.limits = check_queue, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        body = _LimitedBody(receive, send, self.limits)
        try:
            if scope["type"] != "http":
                raise RequestError(404, "Not found.")
            if scope["method"] in ("GET", "HEAD"):
                self._check_get(scope["path"])
                await self.app(scope, receive, send)
            else:
                await self._check_post(scope, body)
                await self.app(scope, body.receive, body.send)
        except RequestError as error:
            response = JSONResponse({"detail": str(error)}, error.status)
            await response(scope, receive, send)

    def _check_get(self, path: str) -> None:
        if path.startswith(FILE_PREFIX):
            self._check_file(path.removeprefix(FILE_PREFIX), 403)
        elif not GET_PATHS.fullmatch(path):
            raise RequestError(404, "Not found.")

    async def _check_post(self, scope: Scope, body: "_LimitedBody") -> None:
        """Check a request, and the size of its body; JSON bodies are read and checked."""
        path, headers = scope["path"], Headers(scope=scope)
        question = QUESTION_PATHS.fullmatch(path)
        if scope["method"] != "POST":
            raise RequestError(405, "Only GET and POST are allowed.")
        if path == UPLOAD_PATH:
            if not headers.get("content-type", "").startswith("multipart/form-data"):
                raise RequestError(415, "Uploads must be multipart/form-data.")
            if not self.folder.has_room(self.limits.max_folder_bytes):
                raise RequestError(
                    507, "There is no room for more files: try again in a few minutes."
                )
            body.set_limit(self.limits.max_upload_bytes, headers)
        elif question or CONTROL_PATHS.fullmatch(path):
            body.set_limit(self.limits.max_json_bytes, headers)
            content = _parse_json(await body.read())
            if question:
                self._check_question(content, question["name"])
                self.check_queue(scope["client"][0] if scope.get("client") else "")
        else:
            raise RequestError(404, "Not found.")

    def _check_question(self, content: dict[str, Any], name: str | None) -> None:
        index = content.get("fn_index")
        if name is not None and index is None:
            index = next((i for i, (own, _) in self.functions.items() if own == name), None)
        if type(index) is not int or index not in self.functions:
            raise RequestError(404, "Unknown function.")
        data = content.get("data")
        if not isinstance(data, list) or len(data) not in self.functions[index][1]:
            raise RequestError(422, "'data' has the wrong number of inputs.")
        files = list(_find_files(content))
        if len(files) > self.limits.max_files:
            raise RequestError(
                413,
                f"The request has {len(files)} files: at most {self.limits.max_files} are allowed.",
            )
        for file in files:
            for address in (file.get("path"), file.get("url")):
                self._check_address(address)

    def _check_address(self, address: object) -> None:
        """Reject addresses that are neither files in the folder nor `data:` URLs."""
        if address is None or (isinstance(address, str) and address.startswith("data:")):
            return
        if not isinstance(address, str):
            raise RequestError(422, "The path of a file must be a string.")
        _, prefix, path = address.partition(FILE_PREFIX)
        self._check_file(urllib.parse.unquote(path) if prefix else address, 422)

    def _check_file(self, path: str, status: int) -> None:
        if not self.folder.contains(path):
            raise RequestError(status, "The path is not that of an uploaded file.")


class _LimitedBody:
    """Request body with limits on its size and on the time to receive it.

    If a limit is exceeded within the body, an error interrupts Gradio, whose response is dropped.
    """

    def __init__(self, receive: Receive, send: Send, limits: RequestLimits) -> None:
        self._receive, self._send = receive, send
        self._max_bytes, self._timeout = 0, limits.request_timeout
        self._deadline = asyncio.get_running_loop().time() + limits.request_timeout
        self._size, self._is_complete, self._is_rejected = 0, False, False
        self._content: bytes | None = None

    def set_limit(self, max_bytes: int, headers: Headers) -> None:
        """Set the maximum size, and reject the body if its `Content-Length` is larger."""
        self._max_bytes = max_bytes
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > max_bytes:
            self._reject()

    async def read(self) -> bytes:
        """Return the whole body, which `receive` then returns again."""
        chunks = []
        while not self._is_complete:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise RequestError(400, "The request is incomplete.")
            chunks.append(message.get("body", b""))
        self._content = b"".join(chunks)
        return self._content

    async def receive(self) -> Message:
        """Receive a message, as an ASGI application does."""
        if self._content is not None:
            content, self._content = self._content, None
            return {"type": "http.request", "body": content, "more_body": False}
        if self._is_complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self._is_rejected = True
            raise RequestError(
                408, f"The request took more than {self._timeout:g} seconds."
            ) from None
        self._size += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        if self._size > self._max_bytes:
            self._reject()
        return message

    async def send(self, message: Message) -> None:
        """Send a message, unless the request was rejected."""
        if not self._is_rejected:
            await self._send(message)

    def _reject(self) -> NoReturn:
        self._is_rejected = True
        raise RequestError(
            413, f"The request is too large: at most {self._max_bytes:,} bytes are allowed."
        )


def _parse_json(body: bytes) -> dict[str, Any]:
    """Parse strict JSON: without NaN, and with valid Unicode only."""
    try:
        content = json.loads(body, parse_constant=_reject_constant)
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise RequestError(422, "The text has an unpaired surrogate, which is invalid.") from None
    except (ValueError, RecursionError):
        raise RequestError(400, "The request is not JSON.") from None
    if not isinstance(content, dict):
        raise RequestError(422, "The request is not a JSON object.")
    return content


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _find_files(content: object) -> Iterator[dict[str, Any]]:
    """Yield the objects in a JSON value that refer to a file."""
    if isinstance(content, dict):
        if "path" in content or "url" in content:
            yield content
        for value in content.values():
            yield from _find_files(value)
    elif isinstance(content, list):
        for value in content:
            yield from _find_files(value)

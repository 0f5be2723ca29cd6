"""Gate in front of gradio: known routes, small bodies and uploaded files pass.

gradio serves more routes than the page needs, and takes the path of any file in place of an
uploaded one unless it was started in one certain way. The page does not rely on that: what is not
allowed here is refused, whatever gradio would make of it.
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

READABLE = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info/?|app_id/?|startup-events|theme\.css|upload_progress|heartbeat/[^/]+"
    r"|queue/(data|status)|call/\w+/\w+)"
)
"""Paths that are answered to GET."""
FILE = "/gradio_api/file="
"""Beginning of the paths of files of the page's folder."""
UPLOAD = "/gradio_api/upload"
"""Path to which files are posted."""
QUESTIONS = re.compile(r"/gradio_api/(queue/join|call/(?P<name>\w+)/?)")
"""Paths to which inputs of a model are posted."""
OTHERS = re.compile(r"/gradio_api/(cancel|reset/?)")
"""Other paths to which JSON is posted."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Largest requests that a page takes."""

    json_bytes: int = 100_000
    """Size of a question, in bytes."""
    upload_bytes: int = 20 * 2**20
    """Size of an upload, in bytes."""
    folder_bytes: int = 500 * 2**20
    """Size of all files that visitors have uploaded and got, in bytes."""
    files: int = 8
    """Number of files in one question."""
    seconds: float = 60.0
    """Time in which a request must have arrived, in seconds."""


class Refusal(Exception):
    """Answer to a request that is not let in.

    Args:
        status: HTTP status.
        detail: Sentence for the visitor.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Gate:
    """ASGI middleware in front of the application of gradio.

    Args:
        app: Application of gradio.
        folder: Folder in which gradio keeps uploads and answers.
        functions: Number of a function of the page to its name, and to the numbers of inputs that
            it may be called with.
        take: Function that takes the address of a visitor with a question, and raises `Refusal` if
            too many of theirs are waiting.
        limits: Largest requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        folder: PageFolder,
        functions: dict[int, tuple[str, range]],
        take: Callable[[str], None],
        limits: Limits = Limits(),
    ) -> None:
        self.app, self.folder, self.functions = app, folder, functions
        self.take, self.limits = take, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        body = _Body(receive, send, self.limits)
        try:
            if scope["type"] != "http":
                raise Refusal(404, "There is no such page.")
            if scope["method"] in ("GET", "HEAD"):
                self._check_readable(scope["path"])
                await self.app(scope, receive, send)
            else:
                await self._check_writable(scope, body)
                await self.app(scope, body.receive, body.send)
        except Refusal as refusal:
            answer = JSONResponse({"detail": str(refusal)}, refusal.status)
            await answer(scope, receive, send)

    def _check_readable(self, path: str) -> None:
        if path.startswith(FILE):
            self._check_file(path.removeprefix(FILE), 403)
        elif not READABLE.fullmatch(path):
            raise Refusal(404, "There is no such page.")

    async def _check_writable(self, scope: Scope, body: "_Body") -> None:
        """Check a request and as much of its body as must be known before gradio reads it."""
        path, headers = scope["path"], Headers(scope=scope)
        question = QUESTIONS.fullmatch(path)
        if scope["method"] != "POST":
            raise Refusal(405, "Only GET and POST are answered.")
        if path == UPLOAD:
            if not headers.get("content-type", "").startswith("multipart/form-data"):
                raise Refusal(415, "Files are taken as multipart/form-data.")
            if not self.folder.has_room(self.limits.folder_bytes):
                raise Refusal(507, "There is no room for more files: try again in some minutes.")
            body.limit(self.limits.upload_bytes, headers)
        elif question or OTHERS.fullmatch(path):
            body.limit(self.limits.json_bytes, headers)
            content = _parsed(await body.read())
            if question:
                self._check_question(content, question["name"])
                self.take(scope["client"][0] if scope.get("client") else "")
        else:
            raise Refusal(404, "There is no such page.")

    def _check_question(self, content: dict[str, Any], name: str | None) -> None:
        number = content.get("fn_index")
        if name is not None and number is None:
            numbers = (n for n, (own, _) in self.functions.items() if own == name)
            number = next(numbers, None)
        if type(number) is not int or number not in self.functions:
            raise Refusal(404, "There is no such function.")
        given = content.get("data")
        if not isinstance(given, list) or len(given) not in self.functions[number][1]:
            raise Refusal(422, "The function takes another number of inputs.")
        files = list(_files(content))
        if len(files) > self.limits.files:
            raise Refusal(413, f"There are {len(files)} files: at most {self.limits.files}.")
        for file in files:
            for address in (file.get("path"), file.get("url")):
                self._check_address(address)

    def _check_address(self, address: object) -> None:
        """Refuse what is neither a file of the folder nor content that came with the request."""
        if address is None or (isinstance(address, str) and address.startswith("data:")):
            return
        if not isinstance(address, str):
            raise Refusal(422, "The path of a file is a text.")
        _, served, path = address.partition(FILE)
        self._check_file(urllib.parse.unquote(path) if served else address, 422)

    def _check_file(self, path: str, status: int) -> None:
        if not self.folder.has(path):
            raise Refusal(status, "That is not a file of this page.")


class _Body:
    """Body of a request, which arrives in time and within a size or is refused.

    A refusal in the middle of the body interrupts gradio, whose own answer to that is dropped.
    """

    def __init__(self, receive: Receive, send: Send, limits: Limits) -> None:
        self._receive, self._send = receive, send
        self._most, self._seconds = 0, limits.seconds
        self._deadline = asyncio.get_running_loop().time() + limits.seconds
        self._size, self._whole, self._refused = 0, False, False
        self._read: bytes | None = None

    def limit(self, most: int, headers: Headers) -> None:
        """Take at most so many bytes, none of them if more are announced."""
        self._most = most
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > most:
            self._refuse()

    async def read(self) -> bytes:
        """Return the whole body, which can be received once more then."""
        parts = []
        while not self._whole:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "The request was cut off.")
            parts.append(message.get("body", b""))
        self._read = b"".join(parts)
        return self._read

    async def receive(self) -> Message:
        """Receive as an ASGI application does."""
        if self._read is not None:
            body, self._read = self._read, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self._refused = True
            raise Refusal(408, f"The request took more than {self._seconds:g} seconds.") from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._most:
            self._refuse()
        return message

    async def send(self, message: Message) -> None:
        """Send as an ASGI application does, unless the request was refused."""
        if not self._refused:
            await self._send(message)

    def _refuse(self) -> NoReturn:
        self._refused = True
        raise Refusal(413, f"The request is too large: at most {self._most:,} bytes are taken.")


def _parsed(body: bytes) -> dict[str, Any]:
    """Return the content of JSON that any program can read and write."""
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Refusal(
            422, "The text has half of a surrogate pair, which is no character."
        ) from None
    except (ValueError, RecursionError):
        raise Refusal(400, "The request is not JSON.") from None
    if not isinstance(content, dict):
        raise Refusal(422, "The request is not an object of JSON.")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _files(content: object) -> Iterator[dict[str, Any]]:
    """Yield the objects in a JSON value that name a file."""
    if isinstance(content, dict):
        if "path" in content or "url" in content:
            yield content
        for value in content.values():
            yield from _files(value)
    elif isinstance(content, list):
        for value in content:
            yield from _files(value)

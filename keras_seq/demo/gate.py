"""What of a request reaches gradio: known routes, small bodies, and files that were uploaded.

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
from pathlib import Path
from typing import Any, NoReturn

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READABLE = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info/?|app_id/?|startup-events|theme\.css|upload_progress|heartbeat/[^/]+"
    r"|queue/(data|status)|call/\w+/\w+)"
)
"""Paths that are answered to GET."""
FILE = "/gradio_api/file="
"""Beginning of the paths of files of the page's folder."""
UPLOADS = re.compile(r"/gradio_api/(upload|component_server/?)")
"""Paths to which files are posted."""
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
        functions: Number of a function of the page to its name and number of inputs; those with a
            state may be asked without it.
        room: Function of the address of a visitor that raises `Refusal` if no more of their
            questions are taken.
        limits: Largest requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        folder: Path,
        functions: dict[int, tuple[str, range]],
        room: Callable[[str], None],
        limits: Limits = Limits(),  # noqa: B008
    ) -> None:
        self.app, self.folder, self.functions = app, folder.resolve(), functions
        self.room, self.limits = room, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            if scope["type"] != "http":
                raise Refusal(404, "There is no such page.")
            if scope["method"] in ("GET", "HEAD"):
                self._check_readable(scope["path"])
            else:
                receive = await self._checked(scope, receive)
        except Refusal as refusal:
            answer = JSONResponse({"detail": str(refusal)}, refusal.status)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _check_readable(self, path: str) -> None:
        if path.startswith(FILE):
            self._check_file(path.removeprefix(FILE), 403)
        elif not READABLE.fullmatch(path):
            raise Refusal(404, "There is no such page.")

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """Return a function that hands out the body of a request, once it has been checked."""
        path = scope["path"]
        question = QUESTIONS.fullmatch(path)
        uploads = UPLOADS.fullmatch(path)
        if scope["method"] != "POST" or not (question or uploads or OTHERS.fullmatch(path)):
            raise Refusal(404, "There is no such page.")
        if uploads and _size(self.folder) > self.limits.folder_bytes:
            raise Refusal(507, "There is no room for more files: try again in some minutes.")
        most = self.limits.upload_bytes if uploads else self.limits.json_bytes
        try:
            async with asyncio.timeout(self.limits.seconds):
                body = await _body(scope, receive, most)
        except TimeoutError:
            raise Refusal(408, "The request took too long to arrive.") from None
        if uploads:
            _check_multipart(scope)
        else:
            content = _parsed(body)
            if question:
                self._check_question(content, question["name"])
                self.room(scope["client"][0] if scope.get("client") else "")
        return _handing_out(body, receive)

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
        try:
            inside = Path(path).resolve().is_relative_to(self.folder)
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside or not Path(path).is_absolute():
            raise Refusal(status, "That is not a file of this page.")


async def _body(scope: Scope, receive: Receive, most: int) -> bytes:
    """Return the body of a request, of at most so many bytes."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    parts, size, more = [], 0, True
    if not announced.isdigit() or int(announced) > most:
        _refuse_size(most)
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The request was cut off.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            _refuse_size(most)
        more = message.get("more_body", False)
    return b"".join(parts)


def _refuse_size(most: int) -> NoReturn:
    raise Refusal(413, f"The request is too large: at most {most:,} bytes are taken.")


def _handing_out(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives a body again, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _check_multipart(scope: Scope) -> None:
    kind = dict(scope["headers"]).get(b"content-type", b"")
    if not re.match(rb"multipart/form-data;.*boundary=", kind, re.IGNORECASE):
        raise Refusal(415, "Files are taken as multipart/form-data.")


def _parsed(body: bytes) -> dict[str, Any]:
    """Return the content of JSON that any program can read and write."""
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Refusal(422, "The text has half of a surrogate pair, which is no character.") from None
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


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

"""Archives of a package index, downloaded without running any of their code.

To download a source distribution, pip runs its build system. So pip is only asked where to look.
"""

import ast
import hashlib
import html.parser
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq.data import cache, limits
from keras_seq.data.network import iter_with_timeout

if TYPE_CHECKING:
    import requests

KINDS: dict[str, Callable[[str], tuple]] = {
    "source distribution": parse_sdist_filename,
    "wheel": parse_wheel_filename,
}
Kind = Literal["source distribution", "wheel"]
CHUNK = 1 << 20
"""Bytes that are read at a time."""


class _Refusal(OSError):
    """Answer of a server that is none of what was asked for."""


class Link(NamedTuple):
    """File that an index offers."""

    url: str
    filename: str
    sha256: str
    """Hash in hexadecimal, or an empty text if the index does not say."""


def fetch(package: str, version: str, sha256: str, kind: Kind) -> Path:
    """Return the path of an archive in the cache, downloaded there if it is not in it yet.

    Nothing is unpacked or run before the hash has been compared, and nothing of the archive is
    ever run.

    Args:
        package: Name in the index.
        version: Exact version.
        sha256: Hash of the archive, in hexadecimal.
        kind: Kind of archive.

    Raises:
        InputError: If there is no network, if the index does not have the archive, or if it has
            another one in its place.
    """
    folder = cache.archive_folder() / sha256
    for path in sorted(folder.glob("*.*")):
        if _sha256(path) == sha256:
            path.touch()
            return path
        path.unlink()  # it was cut, or put there by mistake
    settings = _pip_settings()
    failure = "no index that pip looks in has it"
    try:
        for link in _offered(settings, package, version, kind):
            if link.sha256 in ("", sha256):
                return _download(link, folder, sha256, settings)
            failure = f"{_host(link.url)} has another one in its place, with SHA-256 {link.sha256}"
    except _Refusal as error:
        failure = str(error)
    except TimeoutError as error:
        failure = f"there is no network ({error})"
    except OSError as error:
        failure = f"there is no network ({type(error).__name__})"
    folder.mkdir(parents=True, exist_ok=True)
    raise InputError(
        f"The built-in data is in the {kind} of {package} {version}, and it cannot be fetched: "
        f"{failure}. Run this again where there is a network, or put that file, with SHA-256 "
        f"{sha256}, into {folder}."
    )


def _offered(settings: dict[str, str], package: str, version: str, kind: Kind) -> Iterator[Link]:
    """Yield the files of one kind and version of a package, local ones first."""
    wanted = canonicalize_name(package), Version(version)
    indexes = settings.get("index-url", "https://pypi.org/simple").split()
    indexes += settings.get("extra-index-url", "").split()
    if settings.get("no-index", "false").lower() in ("1", "true", "yes", "on"):
        indexes = []
    places = settings.get("find-links", "").split()
    places += [f"{index.rstrip('/')}/{wanted[0]}/" for index in indexes]
    for place in sorted(places, key=_is_remote):
        for link in iter_with_timeout(_links(place, settings)):
            try:
                found = KINDS[kind](link.filename)
            except ValueError:
                continue
            if found[:2] == wanted:
                yield link


def _links(place: str, settings: dict[str, str]) -> Iterator[Link]:
    """Yield the links of a page, or the files of a folder."""
    if _is_remote(place):
        answer = _get(place, settings)
        if answer.status_code == 404:
            return
        _check(answer)
        base, page = answer.url, answer.text
    else:
        path = _path(place)
        if path.is_dir() and not (path / "index.html").exists():
            yield from (Link(file.as_uri(), file.name, "") for file in path.absolute().iterdir())
            return
        path = path / "index.html" if path.is_dir() else path
        if not path.exists():
            return
        base, page = path.absolute().as_uri(), path.read_text("utf-8")
    anchors = _Anchors()
    anchors.feed(page)
    for address in anchors.addresses:
        url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(base, address))
        filename = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
        sha256 = urllib.parse.parse_qs(fragment).get("sha256", [""])[0]
        yield Link(url, filename, sha256.lower())


class _Anchors(html.parser.HTMLParser):
    """Parser that collects the addresses of links."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        address = dict(attributes).get("href")
        if tag == "a" and address:
            self.addresses.append(address)


def _download(link: Link, folder: Path, sha256: str, settings: dict[str, str]) -> Path:
    """Write a file into a folder, if its hash is right.

    Raises:
        InputError: If it has another hash, or more bytes than files may have.
    """
    most, count, found = limits.get().max_file_bytes, 0, hashlib.sha256()
    with atomic_write(folder / link.filename) as path, path.open("wb") as file:
        for chunk in iter_with_timeout(_chunks(link.url, settings)):
            count += len(chunk)
            if count > most:
                raise InputError(f"{link.filename} has more than {most:,} bytes.")
            found.update(chunk)
            file.write(chunk)
        if found.hexdigest() != sha256:
            raise InputError(
                f"{link.filename} of {_host(link.url)} has SHA-256 {found.hexdigest()}, expected "
                f"{sha256}."
            )
    return folder / link.filename


def _chunks(url: str, settings: dict[str, str]) -> Iterator[bytes]:
    if _is_remote(url):
        answer = _get(url, settings)
        _check(answer)
        yield from answer.iter_content(CHUNK)
    else:
        with _path(url).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _get(url: str, settings: dict[str, str]) -> "requests.Response":
    # It takes a tenth of a second, and most of the time the archive is there.
    import requests

    session = requests.Session()
    session.headers["Accept"] = "text/html"
    # An archive is compared byte by byte, not unpacked on its way.
    session.headers["Accept-Encoding"] = "identity"
    session.verify = settings.get("cert", True)
    with_port = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
    if {_host(url), with_port} & {*settings.get("trusted-host", "").split()}:
        session.verify = False
    if proxy := settings.get("proxy"):
        session.proxies = {"http": proxy, "https": proxy}
    return session.get(url, stream=True, timeout=60)


def _check(answer: "requests.Response") -> None:
    if not answer.ok:
        raise _Refusal(f"{_host(answer.url)} answers {answer.status_code}")


def _pip_settings() -> dict[str, str]:
    """Return what pip's files and environment say, the environment first."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True)
    found: dict[str, dict[str, str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        place, _, name = key.rpartition(".")
        found.setdefault(place, {})[name] = str(ast.literal_eval(value))
    environment = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_")
    }
    return found.get("global", {}) | found.get("download", {}) | environment


def _is_remote(place: str) -> bool:
    return place.lower().startswith(("http://", "https://"))


def _path(place: str) -> Path:
    """Return the path of a local place, which may be written as a file address."""
    if place.lower().startswith("file:"):
        place = urllib.request.url2pathname(urllib.parse.urlsplit(place).path)
    return Path(place).expanduser()


def _host(url: str) -> str:
    """Return what may be shown of an address, which may have a password."""
    return urllib.parse.urlsplit(url).hostname or url


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

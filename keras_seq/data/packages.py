"""Download of archives from a package index without running their code.

`pip download` would run the build system of a source distribution. So only pip's settings are used:
they state where to look for archives.
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

FILENAME_PARSERS: dict[str, Callable[[str], tuple]] = {
    "source distribution": parse_sdist_filename,
    "wheel": parse_wheel_filename,
}
Kind = Literal["source distribution", "wheel"]
CHUNK_BYTES = 1 << 20
"""Number of bytes to read at a time."""


class _ResponseError(OSError):
    """Error for an HTTP error response."""


class Link(NamedTuple):
    """Archive that an index offers."""

    url: str
    filename: str
    sha256: str
    """Hexadecimal SHA-256, or an empty string if the index does not state it."""


def fetch(package: str, version: str, sha256: str, kind: Kind) -> Path:
    """Return the path of an archive in the cache, after downloading it if necessary.

    The hash of the archive is checked, and its code is never run.

    Args:
        package: Name of the package in the index.
        version: Exact version.
        sha256: Hexadecimal SHA-256 of the archive.
        kind: Kind of archive.

    Raises:
        InputError: If no index can be reached, none has the archive, or the archive has another
            hash.
    """
    folder = cache.archive_folder() / sha256
    for path in sorted(folder.glob("*.*")):
        if _sha256(path) == sha256:
            path.touch()
            return path
        path.unlink()  # damaged
    settings = _pip_settings()
    failure = "no index in pip's settings has it"
    try:
        for link in _find_links(settings, package, version, kind):
            if link.sha256 in ("", sha256):
                return _download(link, folder, sha256, settings)
            failure = f"{_host(link.url)} has another archive, with SHA-256 {link.sha256}"
    except _ResponseError as error:
        failure = str(error)
    except TimeoutError as error:
        failure = f"the index cannot be reached ({error})"
    except OSError as error:
        failure = f"the index cannot be reached ({type(error).__name__})"
    folder.mkdir(parents=True, exist_ok=True)
    raise InputError(
        f"The built-in data is in the {kind} of {package} {version}, which cannot be downloaded: "
        f"{failure}. Try again with network access, or copy the file with SHA-256 {sha256} to "
        f"{folder}."
    )


def _find_links(settings: dict[str, str], package: str, version: str, kind: Kind) -> Iterator[Link]:
    """Yield the archives of one kind and version of a package, local ones first."""
    name = canonicalize_name(package)
    indexes = settings.get("index-url", "https://pypi.org/simple").split()
    indexes += settings.get("extra-index-url", "").split()
    if settings.get("no-index", "false").lower() in ("1", "true", "yes", "on"):
        indexes = []
    locations = settings.get("find-links", "").split()
    locations += [f"{index.rstrip('/')}/{name}/" for index in indexes]
    for location in sorted(locations, key=_is_remote):
        for link in iter_with_timeout(_read_links(location, settings)):
            try:
                archive = FILENAME_PARSERS[kind](link.filename)
            except ValueError:
                continue
            if archive[:2] == (name, Version(version)):
                yield link


def _read_links(location: str, settings: dict[str, str]) -> Iterator[Link]:
    """Yield the links of a page, or the files of a folder."""
    if _is_remote(location):
        response = _get(location, settings)
        if response.status_code == 404:
            return
        _check_response(response)
        base, page = response.url, response.text
    else:
        path = _local_path(location)
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
    """HTML parser that collects the addresses of links."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        address = dict(attributes).get("href")
        if tag == "a" and address:
            self.addresses.append(address)


def _download(link: Link, folder: Path, sha256: str, settings: dict[str, str]) -> Path:
    """Download an archive into a folder.

    Raises:
        InputError: If the archive has another hash, or more than `max_file_bytes`.
    """
    max_bytes, num_bytes, digest = limits.get().max_file_bytes, 0, hashlib.sha256()
    with atomic_write(folder / link.filename) as path, path.open("wb") as file:
        for chunk in iter_with_timeout(_read_chunks(link.url, settings)):
            num_bytes += len(chunk)
            if num_bytes > max_bytes:
                raise InputError(f"{link.filename} is larger than {max_bytes:,} bytes.")
            digest.update(chunk)
            file.write(chunk)
        if digest.hexdigest() != sha256:
            raise InputError(
                f"{link.filename} from {_host(link.url)} has SHA-256 {digest.hexdigest()}, "
                f"expected {sha256}."
            )
    return folder / link.filename


def _read_chunks(url: str, settings: dict[str, str]) -> Iterator[bytes]:
    if _is_remote(url):
        response = _get(url, settings)
        _check_response(response)
        yield from response.iter_content(CHUNK_BYTES)
    else:
        with _local_path(url).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _get(url: str, settings: dict[str, str]) -> "requests.Response":
    # The import takes 0.1 s and is rarely needed, since archives are cached.
    import requests

    session = requests.Session()
    session.headers["Accept"] = "text/html"
    # Otherwise the response could be decompressed, and the hash would differ.
    session.headers["Accept-Encoding"] = "identity"
    session.verify = settings.get("cert", True)
    host_and_port = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
    if {_host(url), host_and_port} & {*settings.get("trusted-host", "").split()}:
        session.verify = False
    if proxy := settings.get("proxy"):
        session.proxies = {"http": proxy, "https": proxy}
    return session.get(url, stream=True, timeout=60)


def _check_response(response: "requests.Response") -> None:
    if not response.ok:
        raise _ResponseError(f"{_host(response.url)} returned status {response.status_code}")


def _pip_settings() -> dict[str, str]:
    """Return pip's settings from its files and from `PIP_*` variables, which take precedence."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    sections: dict[str, dict[str, str]] = {}
    for line in result.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = str(ast.literal_eval(value))
    environment = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_")
    }
    return sections.get("global", {}) | sections.get("download", {}) | environment


def _is_remote(location: str) -> bool:
    return location.lower().startswith(("http://", "https://"))


def _local_path(location: str) -> Path:
    """Return the path of a local location, which may be a file: URL."""
    if location.lower().startswith("file:"):
        location = urllib.request.url2pathname(urllib.parse.urlsplit(location).path)
    return Path(location).expanduser()


def _host(url: str) -> str:
    """Return the host of a URL for error messages, since the URL may contain a password."""
    return urllib.parse.urlsplit(url).hostname or url


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

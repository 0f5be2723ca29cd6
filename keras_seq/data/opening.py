"""Safe opening of untrusted files: regular files of limited size, with errors that name the file.

Readers pass every path to `check_regular_file`, and call libraries within `translate_errors`.
"""

import contextlib
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits

SYSTEM_NAMES = (
    *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "lost+found"),
    *("$recycle.bin", "system volume information", "icon\r"),
)
"""Names, in lower case, of files and folders that operating systems add."""
GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)
"""Exceptions of `gzip` for damaged files."""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")
"""Beginning of an address such as "https://example.com" in a path. Drives have one letter."""
_MIN_RATIO_BYTES = 2**20
"""Decompressed bytes up to which the compression ratio is not checked."""


def check_regular_file(path: str | os.PathLike[str], limit: str = "max_file_bytes") -> Path:
    """Return a path if it is a readable regular file, or a link to one, without opening it.

    Opening a named pipe would wait for a writer, and reading a device would never end.

    Args:
        path: Path.
        limit: Field of `keras_seq.data.limits.DataLimits` that limits the size of the file.

    Raises:
        InputError: If the file does not exist, is not regular, or is not readable.
        LimitError: If the file is too large.
    """
    path = Path(path)
    status = _status(path)
    if status is None:
        raise InputError(f"There is no file {path}.")
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path} is a folder; a file is needed here.")
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
        raise InputError(f"{path} is {kind}; only regular files are read. Copy it into a file.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read: permission denied.")
    limits.check(limit, status.st_size, path, "the size in bytes")
    return path


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether something other than a folder exists at a path, special files included."""
    status = _status(Path(path))
    return status is not None and not stat.S_ISDIR(status.st_mode)


def check_exists(path: str | os.PathLike[str]) -> Path:
    """Return a path if there is a file or folder.

    Raises:
        InputError: If there is none. The message says that addresses of the network are not read.
    """
    path = Path(path)
    if _status(path) is None:
        raise _missing("file or folder", path)
    return path


def check_folder(path: str | os.PathLike[str]) -> Path:
    """Return a path if it is a folder.

    Raises:
        InputError: If the folder does not exist, or is a file.
    """
    path = Path(path)
    status = _status(path)
    if status is None:
        raise _missing("folder", path)
    if not stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path} is a file; a folder is needed here.")
    return path


def list_folder(path: Path, pattern: str = "*") -> list[Path]:
    """Return the files and sub-folders of a folder, sorted.

    Hidden files and those that operating systems add are left out, see `is_hidden`. Readers list
    every folder by this function.

    Args:
        path: Folder.
        pattern: Glob pattern. A pattern that begins with "**/" includes sub-folders.

    Raises:
        LimitError: If the folder has too many files.
    """
    entries = []
    for count, entry in enumerate(path.glob(pattern), 1):
        limits.check("max_files", count, path, "the number of files")
        if not any(map(is_hidden, entry.relative_to(path).parts)):
            entries.append(entry)
    return sorted(entries)


def is_hidden(name: str) -> bool:
    """Return whether a name of a file or folder is not one of the user's data.

    >>> [is_hidden(name) for name in ("._a.png", ".DS_Store", "__MACOSX", "Thumbs.db", "a.png")]
    [True, True, True, True, False]

    Args:
        name: Name without the folder. It is hidden if it begins with "." or "~$", which programs
            put before the names of open documents, or if it is in `SYSTEM_NAMES`.
    """
    return name.startswith((".", "~$")) or name.lower() in SYSTEM_NAMES


def unpacked_suffix(path: Path) -> str:
    """Return the suffix of a file in lower case, that before .gz if the file is compressed.

    >>> unpacked_suffix(Path("a.CSV.gz")), unpacked_suffix(Path("a.csv"))
    ('.csv', '.csv')

    Args:
        path: File.
    """
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def read_document(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file of at most `max_document_bytes`."""
    return check_regular_file(path, "max_document_bytes").read_bytes()


@contextlib.contextmanager
def open_unpacked(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a regular file for reading. A file whose name ends in .gz is decompressed.

    Raises:
        InputError: If the file does not exist or is not regular.
        LimitError: If the file is too large. Reading raises it if the decompressed data is.
    """
    path = check_regular_file(path)
    with path.open("rb") as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        with io.BufferedReader(_Unpacked(file, path), 2**16) as unpacked:
            yield unpacked


class _SmallBlocks:
    """File that reads small blocks, so that its position tells how much has been decompressed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 2**12))


class _Unpacked(io.RawIOBase):
    """Stream of the decompressed bytes of a gzip file that checks their number."""

    def __init__(self, packed: BinaryIO, path: Path) -> None:
        self._packed, self._path = packed, path
        blocks: Any = _SmallBlocks(packed)
        self._file = gzip.GzipFile(fileobj=blocks)
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with translate_errors(self._path, "a gzip file", GZIP_ERRORS):
            content = self._file.read1(len(buffer))
        buffer[: len(content)] = content
        self._count += len(content)
        check_unpacked(self._path, self._count, self._packed.tell())
        return len(content)


def check_unpacked(path: object, unpacked: int, packed: int) -> None:
    """Check the decompressed size of a file and its compression ratio.

    Args:
        path: File, for error messages.
        unpacked: Number of decompressed bytes so far.
        packed: Number of compressed bytes so far.

    Raises:
        LimitError: If the size or the ratio exceeds its limit.
    """
    limits.check("max_unpacked_bytes", unpacked, path, "the unpacked size in bytes")
    if unpacked > _MIN_RATIO_BYTES:
        ratio = unpacked // max(packed, 1)
        limits.check("max_unpack_ratio", ratio, path, "the ratio of unpacked to packed bytes")


@contextlib.contextmanager
def translate_errors(
    path: object, kind: str, errors: type[Exception] | tuple[type[Exception], ...]
) -> Iterator[None]:
    """Translate the exceptions that a library raises for damaged files into an `InputError`.

    Wrap only the call of the library, so that bugs in the surrounding code stay visible.

    Args:
        path: File, perhaps with the line number, for the error message.
        kind: Expected kind of file for the error message, such as "a gzip file".
        errors: Exceptions of the library that indicate damage.

    Raises:
        InputError: If the block raises one of the exceptions.
    """
    try:
        yield
    except InputError:
        raise
    except errors as error:
        reason = getattr(error, "strerror", None) or str(error)
        reason = " ".join(reason.split()).rstrip(".")[:200]
        if not reason or isinstance(error, LookupError):
            reason = f"{type(error).__name__} {reason}".rstrip()
        raise InputError(f"{path} is damaged or is not {kind}: {reason}.") from error


def _missing(kind: str, path: Path) -> InputError:
    """Return the error of a path that does not exist, which may be an address of the network."""
    if scheme := _SCHEME.match(str(path)):
        address = f"{scheme[0]}/{str(path)[scheme.end() :]}"  # Path removed a slash.
        return InputError(f"{address} is not a path; download the data and give its path.")
    return InputError(f"There is no {kind} {path}.")


def _status(path: Path) -> os.stat_result | None:
    """Return the status of the file or folder at a path, or None if the path does not exist."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{excerpt(str(path), 300)} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"{excerpt(str(path))!r} is not a path: {error}.") from None

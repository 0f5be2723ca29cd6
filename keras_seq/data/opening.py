"""Opening of untrusted files: regular files only, of bounded size, with errors that name the file.

Readers get every file through `check_regular_file`, and call libraries within `translate_errors`.
"""

import contextlib
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data import limits

GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)
"""Exceptions of `gzip` for damaged files."""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_FREE_BYTES = 2**20
"""Bytes that any compressed file may unpack to, whatever the ratio."""


def check_regular_file(path: str | Path, limit: str = "max_file_bytes") -> Path:
    """Check that a path is a regular file, or a link to one, without opening it.

    Opening a named pipe would wait for a writer, and a device has no end.

    Args:
        path: Path.
        limit: Field of `keras_seq.data.limits.DataLimits` that bounds its size.

    Raises:
        InputError: If there is no such file, it is not regular, or it must not be read.
        LimitError: If it is too large.
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


def is_file(path: str | Path) -> bool:
    """Return whether something other than a folder exists at a path, special files included."""
    status = _status(Path(path))
    return status is not None and not stat.S_ISDIR(status.st_mode)


def check_folder(path: str | Path) -> Path:
    """Check that a path is a folder.

    Raises:
        InputError: If there is no such folder, or it is a file.
    """
    path = Path(path)
    status = _status(path)
    if status is None:
        raise InputError(f"There is no folder {path}.")
    if not stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path} is a file; a folder is needed here.")
    return path


def list_folder(path: Path, pattern: str = "*") -> list[Path]:
    """Return what is in a folder, sorted.

    Args:
        path: Folder.
        pattern: Glob; with "**/" also what is in its sub-folders.

    Raises:
        LimitError: If there are too many files.
    """
    found = []
    for number, entry in enumerate(path.glob(pattern), 1):
        limits.check("max_files", number, path, "the number of files")
        found.append(entry)
    return sorted(found)


def read_document(path: str | Path) -> bytes:
    """Return the content of a regular file of at most `max_document_bytes`."""
    return check_regular_file(path, "max_document_bytes").read_bytes()


@contextlib.contextmanager
def open_unpacked(path: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading; one whose name ends in .gz is unpacked.

    Raises:
        InputError: If there is no such file, or it is not regular.
        LimitError: If it, or what it unpacks to, is too large; the latter while it is read.
    """
    path = check_regular_file(path)
    with path.open("rb") as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        with io.BufferedReader(_Unpacked(file, path), 2**16) as unpacked:
            yield unpacked


class _SmallBlocks:
    """A file that is read a little at a time, so that its position says how far the reader is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 2**12))


class _Unpacked(io.RawIOBase):
    """A gzip file as a stream of unpacked bytes, of which it counts how many there are."""

    def __init__(self, packed: BinaryIO, path: Path) -> None:
        self._packed, self._path = packed, path
        blocks: Any = _SmallBlocks(packed)
        self._file = gzip.GzipFile(fileobj=blocks)
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with translate_errors(self._path, "a gzip file", GZIP_ERRORS):
            content = self._file.read1(len(buffer))
        buffer[: len(content)] = content
        self._count += len(content)
        check_unpacked(self._path, self._count, self._packed.tell())
        return len(content)


def check_unpacked(path: object, unpacked: int, packed: int) -> None:
    """Check how much came out of a compressed file so far.

    Args:
        path: File, for the message.
        unpacked: Bytes that came out.
        packed: Bytes that they were unpacked from.

    Raises:
        LimitError: If it is too much, or too much for what went in.
    """
    limits.check("max_unpacked_bytes", unpacked, path, "the unpacked size in bytes")
    if unpacked > _FREE_BYTES:
        ratio = unpacked // max(packed, 1)
        limits.check("max_unpack_ratio", ratio, path, "the ratio of unpacked to packed bytes")


@contextlib.contextmanager
def translate_errors(
    path: object, kind: str, errors: type[Exception] | tuple[type[Exception], ...]
) -> Iterator[None]:
    """Turn the exceptions that a library raises for damaged bytes into an `InputError`.

    Wrap only the call of the library, so that mistakes in the code around it stay visible.

    Args:
        path: File, perhaps with the line, for the message.
        kind: Description of what it should be, for example "a gzip file".
        errors: Exceptions of the library that stand for damage.

    Raises:
        InputError: If one of the exceptions is raised.
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


def _status(path: Path) -> os.stat_result | None:
    """Return the status of what a path leads to, None if there is nothing."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{excerpt(str(path), 300)} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"{excerpt(str(path))!r} is not a path: {error}.") from None

"""Files that are written as a whole, folders that are locked, content that is checked when read."""

import contextlib
import csv
import hashlib
import json
import os
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import filelock

from keras_seq._internal import folder_locks
from keras_seq._internal.errors import DamagedFileError, InputError, is_disk_full

TEMPORARY = r"\.writing-\w{8}"
"""Pattern of the names of the folders that files are written in."""
LOCK = ".lock"
"""Name of the file in a locked folder."""
CHECKSUM = "checksum"
"""Key of the SHA-256 that `write_checked_json` adds."""

T = TypeVar("T")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, keep_previous: bool = False) -> Iterator[Path]:
    """Yield a path to write a file or folder to, which replaces `path` when the block ends well.

    After an error, `path` is what it was. A killed process leaves a temporary folder next to it,
    which the next write to the same parent folder removes.

    Args:
        path: File or folder to write. Missing parent folders are created.
        keep_previous: Keep the file that is replaced under the name `previous_path(path)`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder_locks.remove_unlocked(path.parent, TEMPORARY)
    # A folder for one file, because some formats depend on the name of the file.
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=".writing-"))
    with folder_locks.hold(folder):
        try:
            new = folder / path.name
            yield new
            if keep_previous and path.exists():
                path.replace(previous_path(path))
            new.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def previous_path(path: Path) -> Path:
    """Return where `atomic_write` keeps the file that it replaced."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def read_with_fallback(path: Path, read: Callable[[Path], T]) -> T | None:
    """Read a file, or the one that `atomic_write` kept before it if it is damaged or missing.

    Args:
        path: File to read.
        read: Function that reads a file and raises `DamagedFileError`.

    Returns:
        What `read` returns; None if there is neither file.

    Raises:
        DamagedFileError: If all files that there are are damaged.
    """
    first_error = None
    for candidate in (path, previous_path(path)):
        if not candidate.is_file():
            continue
        try:
            content = read(candidate)
        except DamagedFileError as error:
            first_error = first_error or error
            continue
        if first_error is not None:
            print(
                f"keras-seq: warning: {path} is damaged: {first_error.reason}; going on from "
                f"{candidate.name}, which was written before it.",
                file=sys.stderr,
            )
        return content
    if first_error is not None:
        raise first_error
    return None


@contextlib.contextmanager
def exclusive_lock(folder: Path, timeout: float = 0.0) -> Iterator[None]:
    """Keep a folder for this process until the block ends, or the process, however it ends.

    Args:
        folder: Folder to lock. It is created if needed, and removed again if it stays empty.
        timeout: Longest wait for another process, in seconds.

    Raises:
        InputError: If another process holds the lock.
    """
    try:
        created = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if is_disk_full(error):
            raise
        reason = error.strerror or str(error)
        raise InputError(f"The folder {folder} cannot be created: {reason}.") from error
    lock = filelock.FileLock(folder / LOCK, timeout=timeout)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(f"Another process is at work in {folder}; wait until it ends.") from None
    try:
        yield
    finally:
        # Removed before the release: a process that has opened the file sees that it is gone.
        with contextlib.suppress(OSError):  # Windows does not remove an open file
            (folder / LOCK).unlink()
        lock.release()
        with contextlib.suppress(OSError):  # no longer empty
            for parent in created:
                parent.rmdir()


def write_json(path: Path, content: Any) -> None:
    """Write JSON as a whole or not at all."""
    with atomic_write(path) as new:
        new.write_text(json.dumps(content, indent=2) + "\n")


def write_checked_json(path: Path, content: Mapping[str, Any], keep_previous: bool = False) -> None:
    """Write a JSON object with its checksum, for `read_checked_json`.

    Args:
        path: File to write.
        content: JSON object without the key "checksum".
        keep_previous: As for `atomic_write`.
    """
    with atomic_write(path, keep_previous) as new:
        checked = {**content, CHECKSUM: _checksum(content)}
        new.write_text(json.dumps(checked, indent=2) + "\n")


def read_checked_json(path: Path, remedy: str) -> dict[str, Any]:
    """Return the JSON object in a file, without its checksum.

    A file without a checksum, such as older versions wrote, is taken as it is.

    Args:
        path: File to read.
        remedy: Advice for the user whose file is damaged; ends the sentence of the error.

    Raises:
        DamagedFileError: If the file holds no JSON object, or another one than was written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if not path.stat().st_size else f"it is not JSON ({error})"
        raise DamagedFileError(path, reason, remedy) from error
    if not isinstance(content, dict):
        raise DamagedFileError(path, "it holds no JSON object", remedy)
    checksum = content.pop(CHECKSUM, None)
    if checksum is not None and checksum != _checksum(content):
        reason = f'its content does not match its "{CHECKSUM}" (if you edited it, remove that line)'
        raise DamagedFileError(path, reason, remedy)
    return content


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def check_zip(path: Path, members: Iterable[str], remedy: str) -> None:
    """Compare all members of a saved model or of saved arrays with their checksums.

    Args:
        path: Archive to read.
        members: Names of members that it must have.
        remedy: Advice for the user whose file is damaged; ends the sentence of the error.

    Raises:
        DamagedFileError: If it is not a zip archive, a member is missing, or one does not match its
            checksum. Also if one is compressed, since it may unpack to any size; neither Keras nor
            NumPy compresses.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                kinds = {info.filename: info.compress_type for info in archive.infolist()}
                compressed = [name for name, kind in kinds.items() if kind != zipfile.ZIP_STORED]
                damaged = None if compressed else archive.testzip()
        # Raised by `zipfile` for archives whose directory is damaged.
        except (
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
            EOFError,
            LookupError,
            NotImplementedError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:
            raise DamagedFileError(path, f"it cannot be read ({error})", remedy) from error
    if compressed:
        raise DamagedFileError(path, f"{compressed[0]} in it is compressed", remedy)
    if damaged is not None:
        raise DamagedFileError(path, f"{damaged} in it does not match its checksum", remedy)
    for name in members:
        if name not in kinds:
            raise DamagedFileError(path, f"{name} is missing in it", remedy)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table as a whole or not at all.

    Args:
        path: File to write.
        rows: At least one row, all with the same keys.
    """
    with atomic_write(path) as new, new.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

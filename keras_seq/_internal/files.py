"""Atomic writes, exclusive locks on folders, and files with checksums."""

import contextlib
import csv
import hashlib
import json
import os
import re
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
"""Pattern of the names of the temporary folders of `atomic_write`."""
LOCK = ".lock"
"""Name of the lock file in a locked folder."""
CHECKSUM = "checksum"
"""Key of the SHA-256 checksum that `write_checked_json` adds."""

T = TypeVar("T")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], keep_previous: bool = False) -> Iterator[Path]:
    """Yield a path to write a file or folder to, which replaces `path` at the end of the block.

    After an error, `path` is unchanged. A killed process leaves a temporary folder next to it,
    which the next write to the same parent folder removes.

    Args:
        path: File or folder to write. Missing parent folders are created.
        keep_previous: Whether to keep the replaced file as `previous_path(path)`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder_locks.remove_unlocked(path.parent, TEMPORARY)
    # A temporary folder, not a temporary name, because some formats depend on the file name.
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
    """Return the path at which `atomic_write` keeps the replaced file."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def read_with_fallback(path: Path, read: Callable[[Path], T]) -> T | None:
    """Read a file, or its previous version if it is damaged or missing.

    Args:
        path: File to read.
        read: Function that reads a file and raises `DamagedFileError`.

    Returns:
        Result of `read`; None if neither file exists.

    Raises:
        DamagedFileError: If no existing file can be read.
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
                f"keras-seq: warning: {path} is damaged: {first_error.reason}; using its previous "
                f"version {candidate.name}.",
                file=sys.stderr,
            )
        return content
    if first_error is not None:
        raise first_error
    return None


@contextlib.contextmanager
def exclusive_lock(folder: Path, timeout: float = 0.0) -> Iterator[None]:
    """Lock a folder for this process until the block or the process ends.

    Args:
        folder: Folder to lock. It is created if needed, and removed again if it stays empty.
        timeout: Maximum wait for another process, in seconds.

    Raises:
        InputError: If another process holds the lock, or the folder cannot be created or written.
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
        raise InputError(f"Another process uses {folder}; wait until it ends.") from None
    except PermissionError as error:
        raise InputError(f"The folder {folder} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        # Removed before the release, so that a process that has opened the file sees it is gone.
        with contextlib.suppress(OSError):  # Windows cannot remove an open file
            (folder / LOCK).unlink()
        lock.release()
        with contextlib.suppress(OSError):  # no longer empty
            for parent in created:
                parent.rmdir()


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically.

    Args:
        path: File to write.
        content: JSON value.
    """
    with atomic_write(path) as new:
        new.write_text(json.dumps(content, indent=2) + "\n")


def write_checked_json(path: Path, content: Mapping[str, Any], keep_previous: bool = False) -> None:
    """Write a JSON object with its checksum atomically, for `read_checked_json`.

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

    A file without a checksum, as older versions wrote it, is not checked.

    Args:
        path: File to read.
        remedy: Advice for the user if the file is damaged, as a clause.

    Raises:
        DamagedFileError: If the file does not hold a JSON object, or its checksum does not match.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if not path.stat().st_size else f"it is not JSON ({error})"
        raise DamagedFileError(path, reason, remedy) from error
    if not isinstance(content, dict):
        raise DamagedFileError(path, "it is not a JSON object", remedy)
    checksum = content.pop(CHECKSUM, None)
    if checksum is not None and checksum != _checksum(content):
        reason = f'its content does not match its "{CHECKSUM}" (if you edited it, remove that line)'
        raise DamagedFileError(path, reason, remedy)
    return content


@contextlib.contextmanager
def expect_content(path: Path, kind: str, remedy: str) -> Iterator[None]:
    """Report content of the wrong form, which a checksum cannot detect, as damage.

    Args:
        path: File whose content the block uses.
        kind: What the file must hold, such as "the state of a search".
        remedy: Advice for the user, as a clause.

    Raises:
        DamagedFileError: If the block raises an error that missing keys or wrong types cause.
    """
    try:
        yield
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        reason = f"it does not hold {kind} ({type(error).__name__}: {error})"
        raise DamagedFileError(path, reason, remedy) from error


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def check_zip(path: Path, members: Iterable[str], remedy: str) -> None:
    """Check all members of a zip archive, such as a saved model, against their checksums.

    Compressed members are rejected, since they may unpack to any size. Neither Keras nor NumPy
    compresses.

    Args:
        path: Archive to read.
        members: Names of required members.
        remedy: Advice for the user if the file is damaged, as a clause.

    Raises:
        DamagedFileError: If the file does not exist or is not a zip archive, or a member is
            missing, compressed, or does not match its checksum.
    """
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "it does not exist"
        raise DamagedFileError(path, reason, remedy)
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                kinds = {info.filename: info.compress_type for info in archive.infolist()}
                compressed = [name for name, kind in kinds.items() if kind != zipfile.ZIP_STORED]
                damaged = None if compressed else archive.testzip()
        # All of these are raised by `zipfile` for a damaged directory.
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
        raise DamagedFileError(path, f"its member {compressed[0]} is compressed", remedy)
    if damaged is not None:
        raise DamagedFileError(path, f"its member {damaged} does not match its checksum", remedy)
    for name in members:
        if name not in kinds:
            raise DamagedFileError(path, f"its member {name} is missing", remedy)


def name_for(text: str, label: str | None = None) -> str:
    """Return the name of a file about a text, without suffix. Different texts differ in it.

    >>> name_for("word"), name_for("a word")
    ('word', 'a_word_511ef855')

    Args:
        text: Text, such as an input of a model.
        label: Text whose first 40 letters and digits begin the name. Default: the text.
    """
    name = re.sub(r"[\W_]+", "_", (label or text)[:40]).strip("_") or "text"
    return name if name == text else f"{name}_{zlib.crc32(text.encode('utf-8', 'replace')):08x}"


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table as CSV atomically.

    Args:
        path: File to write.
        rows: At least one row, all with the same keys.
    """
    with atomic_write(path) as new, new.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

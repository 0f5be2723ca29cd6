"""Folder locks that end with their process, and removal of folders without a lock.

Process ids and times are unreliable on a shared disk: ids are reused and clocks differ. A lock of
the operating system shows whether a live process uses a folder.
"""

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

MIN_AGE_SECONDS = 60.0
"""Minimum age of a removed folder, in seconds; its process may not have locked a newer one yet."""
STALE_AGE_SECONDS = 24 * 3600.0
"""Minimum age of a removed folder on file systems without locks, in seconds."""


@contextlib.contextmanager
def hold(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Lock a folder until the `with` block or the process ends.

    Args:
        folder: Existing folder.
        wait: Whether to wait until no other process holds the lock.

    Yields:
        False if another process holds the lock. True if this process does, or if the file system
        has no locks.
    """
    lock = _open(folder)
    try:
        yield _try_lock(lock, wait) is not False
    finally:
        if lock is not None:
            os.close(lock)


def remove_unlocked(parent: Path, pattern: str, min_age: float = MIN_AGE_SECONDS) -> None:
    """Remove the subfolders that no live process has locked.

    Args:
        parent: Parent folder; it need not exist.
        pattern: Regular expression for the whole name of a subfolder.
        min_age: Minimum age of a removed subfolder, in seconds.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(parent):
            if re.fullmatch(pattern, entry.name) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    age = time.time() - entry.stat().st_mtime
                    if age >= min_age:
                        _remove_if_unlocked(Path(entry.path), age)


def _remove_if_unlocked(folder: Path, age: float) -> None:
    lock = _open(folder)
    try:
        is_locked = _try_lock(lock, wait=False)
        if is_locked or (is_locked is None and age > STALE_AGE_SECONDS):
            shutil.rmtree(folder)
    finally:
        if lock is not None:
            os.close(lock)


def _open(folder: Path) -> int | None:
    return None if fcntl is None else os.open(folder, os.O_RDONLY)


def _try_lock(lock: int | None, wait: bool) -> bool | None:
    """Return whether the lock was acquired; None where there are no locks."""
    if lock is None:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True

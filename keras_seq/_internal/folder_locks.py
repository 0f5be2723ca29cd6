"""Locks on folders, which end with their process, and the removal of what killed ones left.

A process id or a time says little about a folder on a shared disk: ids are used again and clocks
differ. A lock of the operating system says exactly whether a live process holds a folder.
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
except ImportError:  # Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]

MIN_AGE_SECONDS = 60.0
"""Age in seconds below which a folder may be one that its process has not locked yet."""
STALE_AGE_SECONDS = 24 * 3600.0
"""Age in seconds from which a folder counts as left behind where there are no locks."""


@contextlib.contextmanager
def hold(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a folder for the length of a `with` block, or until the process ends.

    Args:
        folder: Folder that exists.
        wait: Wait until nobody else holds it; if false, do not.

    Yields:
        True if this process holds the folder or the file system has no locks, false if another
        holds it.
    """
    lock = _open(folder)
    try:
        yield _try_lock(lock, wait) is not False
    finally:
        if lock is not None:
            os.close(lock)


def remove_unlocked(parent: Path, pattern: str, min_age: float = MIN_AGE_SECONDS) -> None:
    """Remove the sub-folders that no live process holds.

    Args:
        parent: Folder to look in; it need not exist.
        pattern: Regular expression for the whole name of a sub-folder.
        min_age: Age in seconds below which a sub-folder stays.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(parent):
            if re.fullmatch(pattern, entry.name) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    age = time.time() - entry.stat().st_mtime
                    if age >= min_age:
                        _remove_if_left(Path(entry.path), age)


def _remove_if_left(folder: Path, age: float) -> None:
    lock = _open(folder)
    try:
        locked = _try_lock(lock, wait=False)
        if locked or (locked is None and age > STALE_AGE_SECONDS):
            shutil.rmtree(folder)
    finally:
        if lock is not None:
            os.close(lock)


def _open(folder: Path) -> int | None:
    return None if fcntl is None else os.open(folder, os.O_RDONLY)


def _try_lock(lock: int | None, wait: bool) -> bool | None:
    """Return whether the lock was taken; None where there are no locks."""
    if lock is None:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True

"""Temporary folder of a demo page."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from keras_seq._internal import folder_locks
from keras_seq.data import cache

RETENTION_SECONDS = 600
"""Time for which files of visitors are kept, in seconds."""


class PageFolder:
    """Cache folder for uploads and answers of one page, locked while the process lives.

    If the process is killed, the next page removes the folder.
    """

    def __init__(self) -> None:
        cache.remove_stale()
        cache.upload_folder().mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(dir=cache.upload_folder())).resolve()
        self._lock = contextlib.ExitStack()
        self._lock.enter_context(folder_locks.hold(self.path))
        self._own: set[Path] = set()

    def mark_own_files(self) -> None:
        """Protect the present files, which belong to the page, from `has_room`."""
        self._own = set(self._files())

    def contains(self, path: str) -> bool:
        """Return whether a path is absolute and resolves to one inside the folder."""
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self.path)
        except (OSError, ValueError, RuntimeError):
            return False

    def has_room(self, max_bytes: int) -> bool:
        """Return whether the files take at most `max_bytes`. If not, first remove old files.

        Gradio removes old files too, except those of interrupted uploads.
        """
        if self._size() <= max_bytes:
            return True
        for path in self._files():
            if path not in self._own and time.time() - path.stat().st_mtime > RETENTION_SECONDS:
                path.unlink(missing_ok=True)
        return self._size() <= max_bytes

    def remove(self) -> None:
        """Remove the folder and release its lock."""
        with self._lock:
            shutil.rmtree(self.path, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [path for path in self.path.rglob("*") if path.is_file()]

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self._files())

"""Folder of what visitors of a page upload and get, which no other page or user shares."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from keras_seq._internal import folder_locks
from keras_seq.data import cache

KEPT = 600
"""Seconds for which files of visitors are kept."""


class PageFolder:
    """Folder in the cache that is held while the process lives; the next page removes it then."""

    def __init__(self) -> None:
        cache.remove_stale()
        cache.upload_folder().mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(dir=cache.upload_folder())).resolve()
        self._held = contextlib.ExitStack()
        self._held.enter_context(folder_locks.hold(self.path))
        self._own: set[Path] = set()

    def keep_present_files(self) -> None:
        """Note that the files that are there now belong to the page itself."""
        self._own = set(self._files())

    def has(self, path: str) -> bool:
        """Return whether an absolute path leads into the folder, by whatever links."""
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self.path)
        except (OSError, ValueError, RuntimeError):
            return False

    def has_room(self, most: int) -> bool:
        """Return whether there are fewer bytes than the most, if need be once old files are gone.

        gradio removes old files too, but not those of uploads that were cut off.
        """
        if self._size() <= most:
            return True
        for path in self._files():
            if path not in self._own and time.time() - path.stat().st_mtime > KEPT:
                path.unlink(missing_ok=True)
        return self._size() <= most

    def remove(self) -> None:
        """Remove the folder at the end of the page."""
        with self._held:
            shutil.rmtree(self.path, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [path for path in self.path.rglob("*") if path.is_file()]

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self._files())

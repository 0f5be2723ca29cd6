"""Folders in which data is kept from one run to the next: what is in them, and its removal."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_seq._internal import files, folder_locks
from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.data import records

USER_CONFIG = r"user_[0-9a-f]{16}"
"""Name of the TFDS configuration of a data set that was made from files of the user."""
OWN_CONFIG = rf"builtin|{USER_CONFIG}"
"""Names of the TFDS configurations of data sets that `keras_seq.data.cached_dataset` makes."""
VERSION = r"\d+\.\d+\.\d+"
INCOMPLETE_FOLDER = r"incomplete\.\w{6}_.+"
"""Names of the folders in which TFDS prepares a data set."""
TFDS_PREFIX = "tfds:"
"""Beginning of the names of public data sets."""


class Entry(NamedTuple):
    """One archive, prepared data set, or folder of a page in the cache."""

    name: str
    """Name for `clear`."""
    size: int
    """Size in bytes."""
    used: float
    """Time of the last use, in seconds since 1970."""
    path: Path
    source: str = ""
    """Folder of the user's files that a data set was made from, if any."""

    def to_row(self) -> tuple[str, ...]:
        """Return the columns of a table, in this order."""
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.used))
        return self.name, f"{self.size / 1e6:,.1f} MB", used, str(self.path), self.source


def archive_folder() -> Path:
    """Return the folder of downloaded archives, with one sub-folder per SHA-256."""
    return _folder() / "archives"


def upload_folder() -> Path:
    """Return the folder of what visitors of pages upload, with one sub-folder per page."""
    return _folder() / "pages"


def dataset_folder() -> Path:
    """Return the folder of prepared data sets: `TFDS_DATA_DIR`, or `~/tensorflow_datasets`.

    Raises:
        InputError: If it is not on a disk of this machine.
    """
    given = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    if "://" in given:
        raise InputError(f"TFDS_DATA_DIR is {given}: set it to a folder on a disk.")
    return Path(given).expanduser().absolute()


def _folder() -> Path:
    given = os.environ.get("KERAS_SEQ_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "keras-seq"
    return Path(given or usual).expanduser().absolute()


def list_entries(name: str | None = None) -> list[Entry]:
    """Return what is in the cache, sorted by name.

    Args:
        name: Name of one entry, or its beginning up to a slash, such as `ner` for all data sets
            that were prepared for the recipe ner. Default: all.

    Raises:
        InputError: If there is no such entry.
    """
    found = [
        Entry(f"archives/{file.name}", file.stat().st_size, file.stat().st_mtime, folder)
        for folder in _folders(archive_folder())
        for file in folder.iterdir()
    ]
    found += [
        Entry(f"pages/{folder.name}", _size(folder), folder.stat().st_mtime, folder)
        for folder in _folders(upload_folder())
    ]
    for folder in _datasets():
        own = "/".join(folder.relative_to(dataset_folder()).parts)
        if not re.fullmatch(OWN_CONFIG, folder.parent.name):
            own = TFDS_PREFIX + own
        used, source = records.last_used(folder), records.source_folder(folder)
        found.append(Entry(own, _size(folder), used, folder, source))
    if name is None:
        return sorted(found)
    chosen = [entry for entry in found if f"{entry.name}/".startswith(f"{name}/")]
    if not chosen:
        raise unknown_name("entry of the cache", name, [entry.name for entry in found])
    return sorted(chosen)


def clear(name: str | None = None) -> list[Entry]:
    """Remove entries that no other process is using.

    Args:
        name: As for `entries`. Default: all but public data sets, which other programs may use.

    Returns:
        Removed entries.

    Raises:
        InputError: If there is no such entry.
    """
    chosen = list_entries(name)
    if name is None:
        chosen = [entry for entry in chosen if not entry.name.startswith(TFDS_PREFIX)]
    return [entry for entry in chosen if _remove(entry.path)]


def remove_stale() -> None:
    """Remove what killed processes left, and copies of files that have changed or gone."""
    folder_locks.remove_unlocked(upload_folder(), r".+")
    for archive in _folders(archive_folder()):
        folder_locks.remove_unlocked(archive, files.TEMPORARY)
    for config in _folders(dataset_folder(), 2):
        if re.fullmatch(OWN_CONFIG, config.name):
            folder_locks.remove_unlocked(config, INCOMPLETE_FOLDER)
    for folder in _datasets():
        if re.fullmatch(USER_CONFIG, folder.parent.name) and records.is_stale(folder):
            _remove(folder)


def _datasets() -> list[Path]:
    """Return the folders of prepared data sets, with a configuration or without."""
    found = [*_folders(dataset_folder(), 2), *_folders(dataset_folder(), 3)]
    return [folder for folder in found if re.fullmatch(VERSION, folder.name)]


def _folders(parent: Path, depth: int = 1) -> Iterator[Path]:
    pattern = "/".join("*" * depth)
    found = sorted(parent.glob(pattern))
    return (path for path in found if path.is_dir() and not path.is_symlink())


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(folder: Path) -> bool:
    """Remove a folder unless another process holds it or is preparing a data set next to it."""
    with (
        folder_locks.hold(folder.parent, wait=False) as nobody_prepares,
        folder_locks.hold(folder, wait=False) as nobody_uses,
    ):
        if not (nobody_prepares and nobody_uses):
            return False
        shutil.rmtree(folder)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # if it is empty
    return True

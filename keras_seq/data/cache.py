"""Cache folders that persist between runs: listing and removal of their entries."""

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
"""Pattern of the TFDS config names of datasets made from user files."""
OWN_CONFIG = rf"builtin|{USER_CONFIG}"
"""Pattern of the TFDS config names that `keras_seq.data.cached_dataset` creates."""
VERSION = r"\d+\.\d+\.\d+"
"""Pattern of the folder names of dataset versions."""
INCOMPLETE_FOLDER = r"incomplete\.\w{6}_.+"
"""Pattern of the folder names in which TFDS prepares a dataset."""
TFDS_PREFIX = "tfds:"
"""Prefix of the entry names of public datasets."""


class Entry(NamedTuple):
    """Cache entry: an archive, a prepared dataset, or the upload folder of a demo page."""

    name: str
    """Name for `clear`."""
    size: int
    """Size in bytes."""
    used: float
    """Time of the last use, in seconds since 1970."""
    path: Path
    source: str = ""
    """Folder of the user files from which a dataset was made; empty for other entries."""

    def to_row(self) -> tuple[str, ...]:
        """Return name, size, time of the last use, path and source as strings for a table."""
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.used))
        return self.name, f"{self.size / 1e6:,.1f} MB", used, str(self.path), self.source


def archive_folder() -> Path:
    """Return the folder of downloaded archives, with one subfolder per SHA-256."""
    return _root() / "archives"


def upload_folder() -> Path:
    """Return the folder of files uploaded to demo pages, with one subfolder per page."""
    return _root() / "pages"


def dataset_folder() -> Path:
    """Return the folder of prepared datasets: `TFDS_DATA_DIR`, or `~/tensorflow_datasets`.

    Raises:
        InputError: If `TFDS_DATA_DIR` is a URL.
    """
    folder = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    if "://" in folder:
        raise InputError(f"TFDS_DATA_DIR is the URL {folder}: set it to a local folder.")
    return Path(folder).expanduser().absolute()


def _root() -> Path:
    """Return the cache folder without datasets: `KERAS_SEQ_CACHE`, or the XDG default."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "keras-seq"
    return Path(os.environ.get("KERAS_SEQ_CACHE") or default).expanduser().absolute()


def list_entries(name: str | None = None) -> list[Entry]:
    """Return the entries of the cache, sorted by name.

    Args:
        name: Name of an entry, or a prefix that ends before a slash. For example, `ner` selects all
            datasets of the recipe ner. Default: all entries.

    Raises:
        InputError: If no entry has that name.
    """
    entries = [
        Entry(f"archives/{file.name}", file.stat().st_size, file.stat().st_mtime, folder)
        for folder in _folders(archive_folder())
        for file in folder.iterdir()
    ]
    entries += [
        Entry(f"pages/{folder.name}", _size(folder), folder.stat().st_mtime, folder)
        for folder in _folders(upload_folder())
    ]
    for folder in _dataset_versions():
        dataset_name = "/".join(folder.relative_to(dataset_folder()).parts)
        if not re.fullmatch(OWN_CONFIG, folder.parent.name):
            dataset_name = TFDS_PREFIX + dataset_name
        used, source = records.last_used(folder), records.source_folder(folder)
        entries.append(Entry(dataset_name, _size(folder), used, folder, source))
    if name is None:
        return sorted(entries)
    selected = [entry for entry in entries if f"{entry.name}/".startswith(f"{name}/")]
    if not selected:
        raise unknown_name("entry of the cache", name, [entry.name for entry in entries])
    return sorted(selected)


def clear(name: str | None = None) -> list[Entry]:
    """Remove entries that no other process is using.

    Args:
        name: See `list_entries`. Default: all entries except public datasets, which other programs
            may use.

    Returns:
        Removed entries.

    Raises:
        InputError: If no entry has that name.
    """
    entries = list_entries(name)
    if name is None:
        entries = [entry for entry in entries if not entry.name.startswith(TFDS_PREFIX)]
    return [entry for entry in entries if _remove(entry.path)]


def remove_stale() -> None:
    """Remove the files of killed processes, and datasets whose source files have changed."""
    folder_locks.remove_unlocked(upload_folder(), r".+")
    for archive in _folders(archive_folder()):
        folder_locks.remove_unlocked(archive, files.TEMPORARY)
    for config in _folders(dataset_folder(), 2):
        if re.fullmatch(OWN_CONFIG, config.name):
            folder_locks.remove_unlocked(config, INCOMPLETE_FOLDER)
    for folder in _dataset_versions():
        if re.fullmatch(USER_CONFIG, folder.parent.name) and records.is_stale(folder):
            _remove(folder)


def _dataset_versions() -> list[Path]:
    """Return the folders of prepared datasets: NAME/VERSION and NAME/CONFIG/VERSION."""
    folders = [*_folders(dataset_folder(), 2), *_folders(dataset_folder(), 3)]
    return [folder for folder in folders if re.fullmatch(VERSION, folder.name)]


def _folders(parent: Path, depth: int = 1) -> Iterator[Path]:
    """Yield the subfolders at a depth, sorted, without symbolic links."""
    paths = sorted(parent.glob("/".join("*" * depth)))
    return (path for path in paths if path.is_dir() and not path.is_symlink())


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(folder: Path) -> bool:
    """Remove a folder unless another process holds it or is preparing a dataset next to it."""
    with (
        folder_locks.hold(folder.parent, wait=False) as nobody_prepares,
        folder_locks.hold(folder, wait=False) as nobody_uses,
    ):
        if not (nobody_prepares and nobody_uses):
            return False
        shutil.rmtree(folder)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # Fails if the parent has other folders.
    return True

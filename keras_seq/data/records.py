"""Records of prepared datasets: sizes and hashes of their files, and their source files."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_seq._internal.files import atomic_write
from keras_seq.data.summaries import ReadSummary

RECORD_NAME = "keras_seq.json"
"""File name of the record in the folder of a dataset."""
MIN_IDLE_SECONDS = 3600.0
"""Minimum time since its last use before a dataset counts as stale, in seconds."""


def write_record(
    folder: Path, files: Iterable[Path] = (), summaries: Iterable[ReadSummary] = ()
) -> None:
    """Write the record of a dataset that was just prepared.

    Args:
        folder: Folder of the dataset.
        files: User files from which the dataset was made.
        summaries: Summaries of what was read from the files.
    """
    content = {
        "parts": {path.name: _size_and_hash(path) for path in sorted(_list_parts(folder))},
        "files": [[str(path.absolute()), *_size_and_time(path)] for path in files],
        "summaries": [summary.to_json() for summary in summaries],
    }
    with atomic_write(folder / RECORD_NAME) as path:
        path.write_text(json.dumps(content), encoding="utf-8")


def read_summaries(folder: Path) -> list[ReadSummary]:
    """Return the summaries of what was read when a dataset was prepared.

    Args:
        folder: Folder of the dataset.
    """
    try:
        return [ReadSummary.from_json(fields) for fields in _read(folder).get("summaries", ())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []  # The record is damaged, which `find_damage` reports.


def find_damage(folder: Path) -> str | None:
    """Return a clause that describes the damage of a dataset, or None if it is intact.

    Args:
        folder: Folder of the dataset.
    """
    try:
        parts = _read(folder)["parts"]
        for name, (size, sha256) in parts.items():
            path = folder / name
            if not path.is_file():
                return f"{path} is missing"
            if path.stat().st_size != size:
                return f"{path} has {path.stat().st_size} bytes instead of {size}"
            if _size_and_hash(path)[1] != sha256:
                return f"{path} has changed"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{folder / RECORD_NAME} is missing or damaged"
    return None


def mark_used(folder: Path) -> None:
    """Record the current time as the last use of a dataset."""
    with contextlib.suppress(OSError):  # The folder may be read-only.
        os.utime(folder / RECORD_NAME)


def last_used(folder: Path) -> float:
    """Return the time of the last use of a dataset, in seconds since 1970."""
    record = folder / RECORD_NAME
    return (record if record.exists() else folder).stat().st_mtime


def source_folder(folder: Path) -> str:
    """Return the common folder of the source files of a dataset, or an empty string."""
    files = _files(folder)
    return os.path.commonpath([Path(path).parent for path, *_ in files]) if files else ""


def is_stale(folder: Path) -> bool:
    """Return whether a dataset made from user files is outdated.

    A dataset is stale if a file has changed or been removed, or if it has no record, unless it was
    used in the last `MIN_IDLE_SECONDS`.
    """
    if time.time() - last_used(folder) < MIN_IDLE_SECONDS:
        return False
    files = _files(folder)
    return files is None or any(_has_changed(*file) for file in files)


def _has_changed(path: str, size: int, time_ns: int) -> bool:
    try:
        return _size_and_time(Path(path)) != (size, time_ns)
    except OSError:
        return True


def _files(folder: Path) -> list[tuple[str, int, int]] | None:
    """Return path, size and modification time of the source files, or None without a record."""
    try:
        return [(str(path), size, time_ns) for path, size, time_ns in _read(folder)["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))


def _list_parts(folder: Path) -> Iterable[Path]:
    return (path for path in folder.iterdir() if path.is_file() and path.name != RECORD_NAME)


def _size_and_hash(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _size_and_time(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns

"""Checkpoints of a run: lists of arrays, and what JSON can hold, in one file."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq._internal import files

Checkpoint = tuple[dict[str, list[np.ndarray]], dict[str, Any]]
"""Lists of arrays by name, and what JSON can hold."""


def write(path: Path, arrays: dict[str, list[np.ndarray]], progress: dict[str, Any]) -> None:
    """Save a checkpoint, and keep the one before it.

    Args:
        path: File to write.
        arrays: Lists of arrays by name.
        progress: What JSON can hold.
    """
    flat = {f"{name}/{i}": a for name, list_ in arrays.items() for i, a in enumerate(list_)}
    with files.atomic_write(path, keep_previous=True) as new:
        np.savez(new, **flat, progress=np.array(json.dumps(progress)))  # type: ignore[arg-type]


def read(path: Path) -> Checkpoint | None:
    """Return what `write` saved last, or None.

    Of a damaged checkpoint the one before it is returned, and a warning is printed.

    Raises:
        DamagedFileError: If both are damaged.
    """
    return files.read_with_fallback(path, _read)


def remove(path: Path) -> None:
    """Remove a checkpoint and the one before it, if there are any."""
    files.previous_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _read(path: Path) -> Checkpoint:
    remedy = "remove the folder of the run and train it from the start"
    files.check_zip(path, ["progress.npy"], remedy)
    arrays: dict[str, dict[int, np.ndarray]] = {}
    with np.load(path) as file:
        progress = json.loads(str(file["progress"]))
        for key in file.files:
            if key != "progress":
                name, _, index = key.rpartition("/")
                arrays.setdefault(name, {})[int(index)] = file[key]
    by_name = {name: [rows[i] for i in sorted(rows)] for name, rows in arrays.items()}
    return by_name, progress

"""Checkpoints of a run: one NumPy file with lists of arrays and JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq._internal import files
from keras_seq._internal.types import Array

REMEDY = "remove the folder of the run and train it again"
"""Advice for the user if a checkpoint is damaged."""
Checkpoint = tuple[dict[str, list[Array]], dict[str, Any]]
"""Lists of arrays by name, and a JSON object with the progress of the run."""


def write(path: Path, arrays: Mapping[str, Sequence[Array]], progress: Mapping[str, Any]) -> None:
    """Write a checkpoint and keep the previous one.

    Args:
        path: File to write.
        arrays: Lists of arrays by name.
        progress: JSON object.
    """
    flat = {f"{name}/{i}": a for name, group in arrays.items() for i, a in enumerate(group)}
    with files.atomic_write(path, keep_previous=True) as new:
        np.savez(new, **flat, progress=np.array(json.dumps(progress)))  # type: ignore[arg-type]


def read(path: Path) -> Checkpoint | None:
    """Return the last checkpoint, or None if there is none.

    If it is damaged, print a warning and return the previous one.

    Raises:
        DamagedFileError: If both checkpoints are damaged.
    """
    return files.read_with_fallback(path, _read)


def remove(path: Path) -> None:
    """Remove a checkpoint and the previous one, if they exist."""
    files.previous_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _read(path: Path) -> Checkpoint:
    files.check_zip(path, ["progress.npy"], REMEDY)
    arrays: dict[str, dict[int, Array]] = {}
    with files.expect_content(path, "a checkpoint", REMEDY), np.load(path) as file:
        progress = json.loads(str(file["progress"]))
        for key in file.files:
            if key != "progress":
                name, _, index = key.rpartition("/")
                arrays.setdefault(name, {})[int(index)] = file[key]
    by_name = {name: [rows[i] for i in sorted(rows)] for name, rows in arrays.items()}
    return by_name, progress

"""Rows of Parquet files, read with pyarrow."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from typing import Any

from keras_seq._internal.errors import InputError
from keras_seq.data.delimited import check_header
from keras_seq.data.opening import check_regular_file, translate_errors

BATCH_ROWS = 1_024
"""Number of rows to read at a time."""


def read_parquet(
    path: str | os.PathLike[str], columns: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read columns of a Parquet file.

    Numbers of a label that was written by Hugging Face `datasets` are replaced by its names.

    Args:
        path: File.
        columns: Names of the columns to read. If one does not exist, all columns are read.

    Yields:
        Number of the row, from 1, and a dictionary from column names to values.

    Raises:
        InputError: If pyarrow is not installed, the file is damaged, or a column exists twice.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            f"{path} is a Parquet file, which needs pyarrow: run pip install pyarrow."
        ) from None
    path = check_regular_file(path)
    errors = (pyarrow.ArrowException, OSError, ValueError)
    with translate_errors(path, "a Parquet file", errors):
        file = parquet.ParquetFile(path)
    with file:
        existing = set(file.schema_arrow.names)
        check_header(file.schema_arrow.names, columns, path)
        label_names = _read_label_names(file.schema_arrow.metadata or {})
        batches = file.iter_batches(
            BATCH_ROWS, columns=[*columns] if existing.issuperset(columns) else None
        )
        number = 0
        while True:
            with translate_errors(path, "a Parquet file", errors):
                batch = next(batches, None)
                rows = [] if batch is None else batch.to_pylist()
            if batch is None:
                return
            for row in rows:
                number += 1
                for name, names in label_names.items():
                    if isinstance(row.get(name), int) and 0 <= row[name] < len(names):
                        row[name] = names[row[name]]
                yield number, row


def _read_label_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Return the names of class labels in the metadata of Hugging Face `datasets`."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            name: [str(label) for label in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return {}

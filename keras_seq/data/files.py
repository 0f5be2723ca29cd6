"""The user's own data files: folders with a split or classes, and lines of text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from keras_seq._internal.errors import InputError
from keras_seq.data import limits, summaries
from keras_seq.data.encodings import decoding_error, open_text
from keras_seq.data.opening import (
    check_exists,
    check_folder,
    check_regular_file,
    is_file,
    list_folder,
)
from keras_seq.data.split import hash_split
from keras_seq.data.summaries import ReadSummary

READERS_VERSION = 3
"""Version of the readers. Raise it when they read a file differently, so that it is read again."""
SPLITS = ("train", "validation", "test")
MAX_LISTED_FILES = 5
"""Number of files that a summary lists."""
STEMS = {"train": ("train",), "validation": ("validation", "valid", "dev"), "test": ("test",)}
"""Accepted file names of each split, without suffixes."""


def fingerprint(files: Iterable[Sequence[object]]) -> str:
    """Return a string that changes when a file is added, removed or modified.

    It also changes with `READERS_VERSION`.

    Args:
        files: Sequences that begin with the path of a file, such as `list_files_by_class` returns.
            The other elements are part of the fingerprint too.

    Raises:
        InputError: If one of the paths is not a regular file.
    """
    stats = []
    for file, *rest in files:
        path = Path(str(file))
        stat = check_regular_file(path).stat()
        stats.append((str(path.resolve()), stat.st_size, stat.st_mtime_ns, rest))
    return repr((READERS_VERSION, stats))


def list_files_by_split(path: str | os.PathLike[str]) -> list[tuple[str | None, Path]]:
    """Return the files of a dataset with their split.

    Args:
        path: One file, or a folder with files named train.*, test.* and perhaps validation.*,
            valid.* or dev.*.

    Returns:
        A list of (split, file). The split of a single file is None. A summary names the other files
        of a folder, see `keras_seq.data.collect_summaries`.

    Raises:
        InputError: If the path does not exist, or is a folder without train.*.
    """
    path = check_exists(path)
    if is_file(path):
        return [(None, check_regular_file(path))]
    entries = list_folder(path)
    files: list[tuple[str | None, Path]] = [
        (split, check_regular_file(file))
        for split, stems in STEMS.items()
        for file in entries
        if file.name.split(".")[0] in stems and not file.is_dir()
    ]
    if "train" not in dict(files):
        raise InputError(
            f"{path} has no file named train.*; a folder needs train.*, test.* and perhaps "
            "validation.* (or dev.*, valid.*)."
        )
    read = {file for _, file in files}
    if others := [entry.name for entry in entries if entry not in read]:
        names = ", ".join(others[:MAX_LISTED_FILES])
        if len(others) > MAX_LISTED_FILES:
            names += f" and {len(others) - MAX_LISTED_FILES:,} others"
        kind = "not read, since no split has their name"
        summaries.add(ReadSummary(str(path), kind, len(others), notes=(names,), unit="file"))
    return files


def resolve_split(
    files: Iterable[tuple[str | None, object]], split: str | None, key: str | bytes
) -> str | None:
    """Return the split of an example, taking validation examples out of the training split.

    Without validation files, the training examples whose `hash_split` is "validation" validate.

    Args:
        files: Files as `list_files_by_split` returns them.
        split: Split of the example's file, or None.
        key: Key of the example for `hash_split`.
    """
    if split == "train" and "validation" not in dict(files) and hash_split(key) == "validation":
        return "validation"
    return split


def list_files_by_class(
    folder: str | os.PathLike[str], suffixes: Collection[str], skip: Collection[str] = ()
) -> tuple[list[str], list[tuple[Path, str, str | None]]]:
    """Return the files of a folder that has one sub-folder per class.

    A folder with a predefined split has the sub-folders train, test and perhaps validation, and
    these have one sub-folder per class.

    Args:
        folder: Folder.
        suffixes: Accepted suffixes in lower case, such as ".png". Other files are skipped.
        skip: Names of sub-folders that are not classes.

    Returns:
        The sorted class names, and a sorted list of (file, class name, split). The split is None
        without a predefined split.

    Raises:
        InputError: If the folder does not exist or has fewer than two classes, or if a class has
            no files.
    """
    kind = f"{', '.join(suffixes)} files"

    def list_inputs(class_folder: Path) -> list[Path]:
        return [file for file in list_folder(class_folder) if file.suffix.lower() in suffixes]

    return list_inputs_by_class(folder, list_inputs, kind, skip)


def list_inputs_by_class(
    folder: str | os.PathLike[str],
    list_inputs: Callable[[Path], list[Path]],
    kind: str,
    skip: Collection[str] = (),
) -> tuple[list[str], list[tuple[Path, str, str | None]]]:
    """Return the files or folders that are inputs of a model, by class.

    Args:
        folder: Folder as for `list_files_by_class`.
        list_inputs: Function that returns the inputs in the folder of a class.
        kind: Description of the inputs for error messages, in the plural.
        skip: Names of sub-folders that are not classes.

    Returns:
        As `list_files_by_class` returns.

    Raises:
        InputError: As `list_files_by_class` raises.
    """
    folder = check_folder(folder)
    has_split = (folder / "train").is_dir() and (folder / "test").is_dir()
    roots: list[tuple[Path, str | None]] = [(folder, None)]
    if has_split:
        roots = [(folder / split, split) for split in SPLITS]
    labeled = []
    for root, split in roots:
        for class_folder in list_folder(root, "*/"):
            if class_folder.name in skip:
                continue
            inputs = list_inputs(class_folder)
            if not inputs:
                raise InputError(f"The folder {class_folder} has no {kind}.")
            labeled += [(path, class_folder.name, split) for path in inputs]
    classes = sorted({name for _, name, _ in labeled})
    if len(classes) < 2:
        raise InputError(
            f"{folder} must have a sub-folder for each of at least two classes, with {kind} in it; "
            f"found {len(classes)}."
        )
    return classes, labeled


def natural_key(path: Path) -> list[tuple[str, int]]:
    """Return a key that sorts the names of files by the numbers in them.

    >>> names = ["f10.png", "f9.png", "f2.png"]
    >>> sorted(names, key=lambda name: natural_key(Path(name)))
    ['f2.png', 'f9.png', 'f10.png']

    Args:
        path: File.
    """
    parts = re.findall("([^0-9]*)([0-9]*)", path.name)
    return [(text, int(number or -1)) for text, number in parts] + [(path.name, 0)]


def read_first_line(path: str | os.PathLike[str], encoding: str = "utf-8") -> str:
    """Return the first line of a text file that is not blank, or "" if there is none.

    Args:
        path: File.
        encoding: As for `read_lines`.

    Raises:
        InputError: As `read_lines` raises.
    """
    return next((line for _, line in read_lines(path, encoding) if line.strip()), "")


def read_lines(path: str | os.PathLike[str], encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    r"""Read the lines of a text file, or of a text file compressed by gzip (.gz).

    Lines end with "\n", "\r\n", or "\r" in a file without "\n". Other characters that Unicode
    calls line separators, such as U+0085 and U+2028, are part of a line.

    Args:
        path: File.
        encoding: Encoding of files without a byte order mark. A byte order mark at the beginning of
            the file determines its encoding: UTF-8, UTF-16 or UTF-32.

    Yields:
        Number of the line, from 1, and the line without its end. The first line is without a byte
        order mark. U+FEFF elsewhere is part of the text.

    Raises:
        InputError: If the file does not exist, is damaged, or has another encoding.
        LimitError: If the file, a line, or the number of lines is too large.
    """
    current = limits.get()
    with open_text(path, encoding) as (file, line_encoding):
        # One byte more than the limit reveals that a line is longer than the limit.
        rows = iter(lambda: file.readline(current.max_line_bytes + 1), b"")
        for number, line in enumerate(rows, 1):
            if number > current.max_lines:
                limits.check("max_lines", number, path, "the number of lines")
            if len(line) > current.max_line_bytes:
                limits.check(
                    "max_line_bytes", len(line), f"{path}, line {number}", "the size in bytes"
                )
            try:
                text = line.decode(line_encoding)
                text.encode("utf-8")  # Some encodings decode to halves of surrogate pairs.
            except UnicodeError as error:
                raise decoding_error(error, line_encoding, f"{path}, line {number}") from None
            yield number, text.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else "")

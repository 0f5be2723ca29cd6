"""The user's own files, sorted into folders."""

import codecs
import gzip
import zlib
from pathlib import Path

from keras_seq.data.split import split_of
from keras_seq.errors import InputError

SPLITS = ("train", "validation", "test")
STEMS = {"train": ("train",), "validation": ("validation", "valid", "dev"), "test": ("test",)}
"""What files of each split are called."""


def fingerprint(files):
    """A text that changes when a file is added, removed or changed.

    Args:
        files: As `files_by_class` returns them.
    """
    stats = [(str(path.resolve()), path.stat(), rest) for path, *rest in files]
    return repr([(name, stat.st_size, stat.st_mtime_ns, rest) for name, stat, rest in stats])


def files_by_split(path):
    """The files of a path with their split: of one file, or of a folder with train.*, test.* ...

    Returns:
        A list of (split or None, file).

    Raises:
        InputError: There is nothing, or a folder without train.*.
    """
    path = Path(path)
    if path.is_file():
        return [(None, path)]
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path}.")
    found = [
        (split, file)
        for split, stems in STEMS.items()
        for file in sorted(path.iterdir())
        if file.is_file() and file.name.split(".")[0] in stems
    ]
    if "train" not in dict(found):
        raise InputError(
            f"{path} has no file named train.*; a folder brings its own split, as train.*, "
            "validation.* (or dev.*, valid.*) and test.*."
        )
    return found


def split_in(files, split, key):
    """The split of an example: who brings no validation split gets one from the training split.

    Args:
        files: As `files_by_split` returns them.
        split: Of the example's file, or None.
        key: Of the split by content.
    """
    if split == "train" and "validation" not in dict(files) and split_of(key) == "validation":
        return "validation"
    return split


def files_by_class(folder, suffixes):
    """Files of a folder that has one sub-folder a class.

    The folder may bring its own split: then its sub-folders are train, test and perhaps
    validation, and the classes are folders in these.

    Args:
        folder: Path.
        suffixes: Endings of the files that count, such as ".png".

    Returns:
        The class names, sorted, and a sorted list of (file, class name, split or None).

    Raises:
        InputError: The folder does not exist, has not at least two classes, or one has no files.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    own_split = (folder / "train").is_dir() and (folder / "test").is_dir()
    roots = [(folder / split, split) for split in SPLITS] if own_split else [(folder, None)]
    found = []
    for root, split in roots:
        for sub in sorted(root.glob("[!.]*/")):
            files = [file for file in sorted(sub.iterdir()) if file.suffix.lower() in suffixes]
            if not files:
                raise InputError(f"The folder {sub} has no {', '.join(suffixes)} file in it.")
            found += [(file, sub.name, split) for file in files]
    classes = sorted({name for _, name, _ in found})
    if len(classes) < 2:
        raise InputError(
            f"{folder} must have a sub-folder for each of at least two classes, with "
            f"{', '.join(suffixes)} files in it; found {len(classes)}."
        )
    return classes, found


def lines(path, encoding="utf-8"):
    """The lines of a text file, or of one that gzip has packed (.gz), with their numbers from 1.

    Raises:
        InputError: There is no such file, it is not whole, or a line is not in that encoding.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise InputError(f"There is no encoding {encoding!r}; UTF-8 is usual.") from None
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(_whole(file, path), 1):
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}, line {number}: byte {error.start + 1} is not {encoding}; give "
                    "--encoding, or convert the file to one encoding."
                ) from None
            yield number, text.rstrip("\r\n").removeprefix("\ufeff")


def _whole(file, path):
    """The lines of a file of which gzip may find that it is none of its own, or cut short."""
    try:
        yield from file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is no whole gzip file: {error}") from None

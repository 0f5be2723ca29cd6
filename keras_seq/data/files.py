"""The user's own files, sorted into folders."""

import codecs
from pathlib import Path

from keras_seq.errors import InputError

SPLITS = ("train", "validation", "test")


def fingerprint(files):
    """A text that changes when a file is added, removed or changed.

    Args:
        files: As `files_by_class` returns them.
    """
    stats = [(str(path.resolve()), path.stat(), rest) for path, *rest in files]
    return repr([(name, stat.st_size, stat.st_mtime_ns, rest) for name, stat, rest in stats])


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
        InputError: The folder does not exist or has not at least two classes with files.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    own_split = (folder / "train").is_dir() and (folder / "test").is_dir()
    roots = [(folder / split, split) for split in SPLITS] if own_split else [(folder, None)]
    found = [
        (file, file.parent.name, split)
        for root, split in roots
        for file in sorted(root.glob("*/*"))
        if file.suffix.lower() in suffixes
    ]
    classes = sorted({name for _, name, _ in found})
    if len(classes) < 2:
        raise InputError(
            f"{folder} must have a sub-folder for each of at least two classes, with "
            f"{', '.join(suffixes)} files in it; found {len(classes)}."
        )
    return classes, found


def lines(path, encoding="utf-8"):
    """The lines of a text file with their numbers from 1.

    Raises:
        InputError: There is no such file, or a line is not in that encoding.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise InputError(f"There is no encoding {encoding!r}; UTF-8 is usual.") from None
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}, line {number}: byte {error.start + 1} is not {encoding}; give "
                    "--encoding, or convert the file to one encoding."
                ) from None
            yield number, text.rstrip("\r\n").removeprefix("\ufeff")

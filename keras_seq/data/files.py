"""The user's own files, sorted into folders."""

from collections.abc import Iterator
from pathlib import Path

from keras_seq._internal.errors import InputError
from keras_seq._internal.unicode import surrogate_error
from keras_seq.data import limits
from keras_seq.data.opening import (
    check_folder,
    check_regular_file,
    is_file,
    list_folder,
    open_unpacked,
)
from keras_seq.data.split import hash_split

SPLITS = ("train", "validation", "test")
STEMS = {"train": ("train",), "validation": ("validation", "valid", "dev"), "test": ("test",)}
"""What files of each split are called."""


def fingerprint(files):
    """A text that changes when a file is added, removed or changed.

    Args:
        files: As `list_files_by_class` returns them.
    """
    stats = [(str(path.resolve()), check_regular_file(path).stat(), rest) for path, *rest in files]
    return repr([(name, stat.st_size, stat.st_mtime_ns, rest) for name, stat, rest in stats])


def list_files_by_split(path):
    """The files of a path with their split: of one file, or of a folder with train.*, test.* ...

    Returns:
        A list of (split or None, file).

    Raises:
        InputError: There is nothing, or a folder without train.*.
    """
    path = Path(path)
    if is_file(path):
        return [(None, check_regular_file(path))]
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path}.")
    entries = list_folder(path)
    found = [
        (split, check_regular_file(file))
        for split, stems in STEMS.items()
        for file in entries
        if file.name.split(".")[0] in stems and not file.is_dir()
    ]
    if "train" not in dict(found):
        raise InputError(
            f"{path} has no file named train.*; a folder brings its own split, as train.*, "
            "validation.* (or dev.*, valid.*) and test.*."
        )
    return found


def resolve_split(files, split, key):
    """The split of an example: who brings no validation split gets one from the training split.

    Args:
        files: As `list_files_by_split` returns them.
        split: Of the example's file, or None.
        key: Of the split by content.
    """
    if split == "train" and "validation" not in dict(files) and hash_split(key) == "validation":
        return "validation"
    return split


def list_files_by_class(folder, suffixes):
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
    folder = check_folder(folder)
    own_split = (folder / "train").is_dir() and (folder / "test").is_dir()
    roots = [(folder / split, split) for split in SPLITS] if own_split else [(folder, None)]
    found = []
    for root, split in roots:
        for sub in list_folder(root, "[!.]*/"):
            files = [file for file in list_folder(sub) if file.suffix.lower() in suffixes]
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


def read_lines(path: str | Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Read the lines of a text file, or of one that gzip has packed (.gz).

    Args:
        path: File.
        encoding: Encoding of the file.

    Yields:
        Number of the line, from 1, and the line without its end.

    Raises:
        InputError: If there is no such file, it is not whole, or a line is not in that encoding.
        LimitError: If the file, a line, or the number of lines is too large.
    """
    _check_encoding(encoding)
    current = limits.get()
    with open_unpacked(path) as file:
        # One byte more than a line may have shows that it has more.
        rows = iter(lambda: file.readline(current.max_line_bytes + 1), b"")
        for number, line in enumerate(rows, 1):
            if number > current.max_lines:
                limits.check("max_lines", number, path, "the number of lines")
            if len(line) > current.max_line_bytes:
                limits.check(
                    "max_line_bytes", len(line), f"{path}, line {number}", "the size in bytes"
                )
            try:
                text = line.decode(encoding)
                text.encode("utf-8")  # Some encodings decode to halves of surrogate pairs.
            except UnicodeError as error:
                raise _undecodable(error, encoding, f"{path}, line {number}") from None
            yield number, text.rstrip("\r\n").removeprefix("\ufeff")


def _undecodable(error: UnicodeError, encoding: str, where: str) -> InputError:
    """Return the error for a line that is not in an encoding."""
    if isinstance(error, UnicodeDecodeError):
        return InputError(
            f"{where}: byte {error.start + 1} is not {encoding}; give --encoding, or convert the "
            "file to one encoding."
        )
    if isinstance(error, UnicodeEncodeError):
        return surrogate_error(error, where)
    return InputError(f"{where}: this is not {encoding} ({error}).")


def _check_encoding(encoding: str) -> None:
    try:
        b"a".decode(encoding)
    except UnicodeError:
        return  # It has more than one byte a character, such as UTF-16.
    except (LookupError, ValueError):
        raise InputError(f"There is no encoding {encoding!r}; UTF-8 is usual.") from None

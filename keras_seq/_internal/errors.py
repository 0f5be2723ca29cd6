"""Errors whose messages tell users in one sentence what to do."""

import difflib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from keras_seq._internal.keras_compat import without_call_arguments


@without_call_arguments
class InputError(ValueError):
    """Error for an invalid argument, option or file of the user.

    The message states the wrong value, where it is, and what to do:

    >>> from keras_seq import InputError, cells
    >>> try:
    ...     cells.LSTMCell(0)
    ... except InputError as error:
    ...     print(error)
    LSTMCell: `units` must be an integer of at least 1, got 0.
    """


class DamagedFileError(InputError):
    """Error for a file of keras-seq whose content changed after it was written.

    Args:
        path: Path of the file.
        reason: Reason why the file counts as damaged, as a clause.
        remedy: Advice for the user, as a clause.
    """

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path} is damaged: {reason}; {remedy}.")
        self.reason = reason


OS_ERRORS = {
    errno.ENOENT: "does not exist",
    errno.EACCES: "cannot be used: permission denied",
    errno.EPERM: "cannot be used: permission denied",
    errno.EISDIR: "is a folder, not a file",
    errno.ENOTDIR: "needs a folder where there is a file",
    errno.EEXIST: "exists already",
    errno.ENOTEMPTY: "exists already and is not empty",
    errno.EROFS: "cannot be written: its file system is read-only",
    errno.ENAMETOOLONG: "has too long a name",
}
"""Clauses that describe file errors of the operating system, by `errno`."""


def explain(error: BaseException) -> str | None:
    """Return one sentence that explains an error caused by a file or option of the user.

    Args:
        error: Any error.

    Returns:
        The sentence; None for a programming error.
    """
    if isinstance(error, InputError):
        return " ".join(str(error).split())
    # TensorFlow's error is recognized by name, since this module must not import TensorFlow.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "There is not enough memory: try a smaller batch or model, or fewer examples."
    if not isinstance(error, OSError):
        return None
    # For `rename` and `link`, the second name is the file to write.
    name = error.filename2 or error.filename
    if is_disk_full(error):
        disk = f"The disk of {os.fsdecode(name)}" if name else "The disk"
        return f"{disk} is full; free some space and try again."
    if not isinstance(name, str | bytes):
        return None  # sockets and the like
    reason = OS_ERRORS.get(error.errno or 0) or f"cannot be used: {error.strerror or error}"
    return f"{os.fsdecode(name)} {reason}."


def is_disk_full(error: OSError) -> bool:
    """Return whether an error of the operating system means that the disk is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Return an error for an unknown name that suggests the closest known one.

    Args:
        kind: Noun for the name, for example "recipe".
        name: Name that the user gave.
        known: Names that exist.
    """
    known = list(known)
    matches = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    if matches:
        hint = f"did you mean {matches[0]!r}?"
    else:
        hint = f"there {'is only' if len(known) == 1 else 'are'} {', '.join(sorted(known))}."
    return InputError(f"There is no {kind} {name!r}: {hint}")


def check_list(values: object, kind: str) -> None:
    """Raise an error for one string in place of a list, which would be read as its letters.

    Args:
        values: Argument of the user.
        kind: What the argument is a list of, in plural, such as "texts".

    Raises:
        InputError: If it is a string or bytes.
    """
    if isinstance(values, (str, bytes)):
        single = kind.removesuffix("s")
        raise InputError(
            f"Expected a list of {kind}, got one {single}: {excerpt(str(values))!r}. Put it in a "
            "list."
        )


def excerpt(text: str, length: int = 60) -> str:
    """Return the beginning of a text, for an error message.

    Args:
        text: Text from a file.
        length: Maximum number of characters.
    """
    return text if len(text) <= length else text[: length - 3] + "..."

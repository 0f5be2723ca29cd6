"""Errors that tell the user in one sentence what to do."""

import difflib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from keras_seq._internal.keras_compat import without_call_arguments


@without_call_arguments
class InputError(ValueError):
    """Something the user gave is wrong; the message says what, where, and what would be right."""


class DamagedFileError(InputError):
    """A file that keras-seq wrote is not as it was written.

    Args:
        path: The file.
        reason: What is wrong with it, as a clause.
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
"""Clauses for errors of the operating system about a file, by `errno`."""


def explain(error: BaseException) -> str | None:
    """Return one sentence on an error that a file or option of the user caused.

    Args:
        error: Any error.

    Returns:
        The sentence; None for what must be a programming error.
    """
    if isinstance(error, InputError):
        return " ".join(str(error).split())
    # TensorFlow's error for memory is known by its name only, because nothing is imported here.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "There is not enough memory: try a smaller batch or model, or fewer examples."
    if not isinstance(error, OSError):
        return None
    # `rename` and `link` have two names, of which the second is to be written.
    name = error.filename2 or error.filename
    if is_disk_full(error):
        return f"The disk{f' of {os.fsdecode(name)}' if name else ''} is full; make room and go on."
    if not isinstance(name, str | bytes):
        return None  # sockets and the like
    reason = OS_ERRORS.get(error.errno or 0) or f"cannot be used: {error.strerror or error}"
    return f"{os.fsdecode(name)} {reason}."


def is_disk_full(error: OSError) -> bool:
    """Return whether an error of the operating system says that the disk is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Return an error for a name that is not among the known ones, with the nearest suggested.

    Args:
        kind: Noun for the name, for example "recipe".
        name: Name that the user wrote.
        known: Names that exist.
    """
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}."
    return InputError(f"There is no {kind} {name!r}: {hint}")


def excerpt(text: str, length: int = 60) -> str:
    """Return the beginning of a text from a file, short enough for a message."""
    return text if len(text) <= length else text[: length - 3] + "..."

r"""Bad rows of the user's files: errors, or left out and counted (`--errors strict` or `skip`).

A reader needs an object per file or folder, and two uses of it:

    bad_rows = BadRows()
    for number, line in read_lines(path):
        with bad_rows:  # "strict" raises the InputError of a row, "skip" leaves the row out
            rows.append(parse(line, f"{path}, line {number}"))  # or: yield parse(...)
    summaries.add(bad_rows.finish(ReadSummary(str(path), "my format", len(rows))))

What is read within `with` must be one row, recording, tune or the like. Errors outside of it are
those of the whole file, such as a missing column: they stop both policies. A generator that has to
go on after a bad row calls `bad_rows.add(error)` instead, which raises the error under "strict".
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Literal, get_args

from keras_seq._internal.errors import InputError, excerpt, explain, unknown_name
from keras_seq._internal.unicode import show_controls
from keras_seq.data import limits
from keras_seq.data.summaries import ReadSummary

Policy = Literal["strict", "skip"]
"""Treatment of bad rows: stop at the first, or leave them out."""
LEFT_OUT_KEY = "bad rows"
"""Key of the number of bad rows in `ReadSummary.left_out`."""
NOTE_PREFIX = "bad: "
"""Prefix of the message of a bad row in `ReadSummary.notes`."""
MAX_MESSAGES = 3
"""Maximum number of bad rows whose messages are kept."""
MAX_MESSAGE_LENGTH = 300
"""Maximum length of a message that is kept, in characters."""

_current: contextvars.ContextVar[Policy] = contextvars.ContextVar(
    "keras_seq_row_errors", default="strict"
)


@contextlib.contextmanager
def policy(name: Policy) -> Iterator[None]:
    """Set the treatment of bad rows within a `with` block.

    >>> with policy("skip"):
    ...     get()
    'skip'

    Args:
        name: "strict" or "skip".

    Raises:
        InputError: If the name is another one.
    """
    if name not in get_args(Policy):
        raise unknown_name("treatment of errors", name, get_args(Policy))
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


def get() -> Policy:
    """Return the current treatment of bad rows."""
    return _current.get()


def cache_key() -> str:
    """Return the part of the key of a cached dataset that depends on the policy.

    It is empty under "strict", which accepts the same rows whatever the limits are.
    """
    return "" if get() == "strict" else f"skip {limits.get()}"


def warn(read: Iterable[ReadSummary]) -> None:
    """Print a warning for each file with bad rows.

    Args:
        read: Summaries of what was read.
    """
    for summary in read:
        if num_bad := summary.left_out.get(LEFT_OUT_KEY):
            messages = [
                note.removeprefix(NOTE_PREFIX)
                for note in summary.notes
                if note.startswith(NOTE_PREFIX)
            ]
            warning = f"left out {num_bad:,} bad rows of {summary.path}, such as: "
            warning += " ".join(messages)
            print(show_controls(f"keras-seq: warning: {warning}"), file=sys.stderr)


class BadRows:
    """Bad rows of one file or folder.

    As a context manager it holds the reading of one row:

    >>> bad_rows = BadRows("skip")
    >>> for number, line in enumerate(["1", "2", "two", "3"], 1):
    ...     with bad_rows:
    ...         if not line.isdecimal():
    ...             raise InputError(f"a.txt, line {number}: {line!r} is not a number.")
    >>> bad_rows.num_good, bad_rows.num_bad
    (3, 1)
    >>> print(bad_rows.finish(ReadSummary("a.txt", "numbers", 3)))
    a.txt: numbers; 3 rows; left out 1: bad rows; bad: a.txt, line 3: 'two' is not a number.

    Args:
        errors: Treatment of bad rows. Default: that of the enclosing `policy`.
    """

    def __init__(self, errors: Policy | None = None) -> None:
        self.errors: Policy = errors or get()
        self.num_good = self.num_bad = 0
        self.messages: list[str] = []
        """Messages of the first bad rows."""

    def __enter__(self) -> None:
        """Begin a row."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Count the row. Suppress its InputError under "skip"."""
        if error is None:
            self.num_good += 1
            return False
        if self.errors == "strict" or not isinstance(error, InputError):
            return False
        self.add(error)
        return True

    def add(self, error: InputError) -> None:
        """Count a bad row.

        Args:
            error: Error of the row.

        Raises:
            InputError: The error, under "strict".
        """
        if self.errors == "strict":
            raise error
        self.num_bad += 1
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(excerpt(explain(error) or "", MAX_MESSAGE_LENGTH))

    def include(self, other: BadRows) -> None:
        """Count the bad rows of a part of the file too.

        Args:
            other: Bad rows of the part.
        """
        self.num_bad += other.num_bad
        self.messages = [*self.messages, *other.messages][:MAX_MESSAGES]

    def finish(self, summary: ReadSummary) -> ReadSummary:
        """Return a summary with the number and the first of the bad rows.

        Args:
            summary: Summary of what was read.

        Raises:
            InputError: If more than half of the rows are bad.
        """
        if not self.num_bad:
            return summary
        num_rows = self.num_good + self.num_bad
        if self.num_bad > self.num_good:
            raise InputError(
                f"{summary.path}: {self.num_bad:,} of {num_rows:,} rows are bad, more than half, "
                f"so that --errors skip does not leave them out; the first: {self.messages[0]}"
            )
        return summary.replace(
            left_out={**summary.left_out, LEFT_OUT_KEY: self.num_bad},
            notes=(*summary.notes, *(NOTE_PREFIX + message for message in self.messages)),
        )

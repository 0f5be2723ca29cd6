"""Files that FFmpeg decodes, by PyAV."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from keras_seq.data.opening import translate_errors

if TYPE_CHECKING:
    from av.container import InputContainer


def open_container(path: Path, formats: str) -> InputContainer:
    """Open a file for decoding.

    Args:
        path: File.
        formats: FFmpeg's names of the accepted formats, separated by commas. None of them should be
            able to refer to other files.
    """
    import av

    return av.open(str(path), options={"format_whitelist": formats})


def list_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that PyAV raises for damaged files."""
    import av

    builtin = (ArithmeticError, EOFError, LookupError, MemoryError, OSError, ValueError)
    return av.FFmpegError, *builtin


def translate_decoding_errors(path: Path, kind: str) -> contextlib.AbstractContextManager[None]:
    """Return a context that translates the exceptions of PyAV into an `InputError`.

    Args:
        path: File, for the error message.
        kind: Expected kind of file, such as "a video".
    """
    return translate_errors(path, kind, list_errors())

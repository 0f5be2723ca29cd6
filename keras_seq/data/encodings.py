"""Encodings and line ends of text files."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from keras_seq._internal.errors import InputError
from keras_seq._internal.unicode import surrogate_error
from keras_seq.data import limits
from keras_seq.data.opening import open_unpacked

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # The mark of UTF-32-LE begins with that of UTF-16-LE, so it comes first.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks with the encodings that they stand for."""

_BLOCK = 2**16
"""Number of bytes to decode at a time."""
_MIN_NULS = 4
"""Number of zero bytes from which text is taken for UTF-16 without a byte order mark."""


class TextFormat(NamedTuple):
    """Encoding and line ends of a text file, as `detect_format` returns them."""

    encoding: str
    """Name of the encoding, such as "utf-16-le"."""
    has_mark: bool = False
    """True if the file begins with a byte order mark."""
    has_cr_lines: bool = False
    r"""True if lines end with "\r" alone (classic Mac OS)."""

    def __str__(self) -> str:
        """Return a description, such as "UTF-16-LE (byte order mark)"."""
        name = codecs.lookup(self.encoding).name.upper()
        return f"{name} (byte order mark)" if self.has_mark else name


def detect_format(path: str | os.PathLike[str], encoding: str = "utf-8") -> TextFormat:
    r"""Return the encoding and the line ends of a text file.

    A byte order mark determines the encoding. Without one, the encoding is the given one. Lines end
    with "\n" or "\r\n", or with "\r" if there is no "\n" up to the end of the block that has the
    first "\r". No other character ends a line.

    Args:
        path: File. A file whose name ends in .gz is decompressed.
        encoding: Encoding of files without a byte order mark.

    Raises:
        InputError: If there is no such encoding, or the encoding needs a byte order mark.
    """
    _check_encoding(encoding)
    if codecs.lookup(encoding).name == "utf-8-sig":
        encoding = "utf-8"  # The codec would take a mark off each line.
    with open_unpacked(path) as file:
        head = file.read(_BLOCK)
        mark = next((pair for pair in BYTE_ORDER_MARKS if head.startswith(pair[0])), None)
        if mark:
            encoding = mark[1]
        elif head:
            _check_order(head, encoding, path)
        with contextlib.suppress(UnicodeError):  # The reader raises it, with the line.
            decoder = codecs.getincrementaldecoder(encoding)("replace")
            num_bytes, text = len(head), decoder.decode(head)
            while text and "\n" not in text and ("\r" not in text or text[-1] == "\r"):
                block = file.read(_BLOCK)
                num_bytes += len(block)
                if not block or num_bytes > limits.get().max_line_bytes:
                    break
                text = text[-1] + decoder.decode(block)
            return TextFormat(encoding, bool(mark), "\r" in text and "\n" not in text)
    return TextFormat(encoding, bool(mark))


@contextlib.contextmanager
def open_text(
    path: str | os.PathLike[str], encoding: str = "utf-8"
) -> Iterator[tuple[BinaryIO, str]]:
    r"""Open a text file as bytes whose lines end with "\n" or "\r\n".

    Args:
        path: File. A file whose name ends in .gz is decompressed.
        encoding: Encoding of files without a byte order mark.

    Yields:
        The file, and the encoding in which its bytes are. A file in which b"\n" does not stand for
        the end of a line, such as one in UTF-16, is converted to UTF-8.

    Raises:
        InputError: As `detect_format` raises. Reading raises it if the content has another
            encoding.
    """
    text_format = detect_format(path, encoding)
    with open_unpacked(path) as file:
        if text_format.has_mark:
            marks = {encoding: mark for mark, encoding in BYTE_ORDER_MARKS}
            file.read(len(marks[text_format.encoding]))
        if _has_byte_lines(text_format):
            yield file, text_format.encoding
            return
        with io.BufferedReader(_Converted(file, path, text_format), _BLOCK) as converted:
            yield converted, "utf-8"


def _has_byte_lines(text_format: TextFormat) -> bool:
    r"""Return whether the lines of a file can be told apart by the byte b"\n"."""
    try:
        return not text_format.has_cr_lines and b"\n\r".decode(text_format.encoding) == "\n\r"
    except UnicodeError:
        # An encoding that decodes nothing, such as "undefined", is an error of the first line.
        return not text_format.encoding.startswith(("utf-16", "utf-32"))


class _Converted(io.RawIOBase):
    r"""Stream of the bytes of a text file in UTF-8, with lines that end with "\n"."""

    def __init__(self, file: BinaryIO, path: object, text_format: TextFormat) -> None:
        decoder: Any = codecs.getincrementaldecoder(text_format.encoding)()
        self._decoder = io.IncrementalNewlineDecoder(decoder, text_format.has_cr_lines)
        self._file, self._path, self._format = file, path, text_format
        self._pending, self._line, self._at_end = b"", 1, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._pending and not self._at_end:
            block = self._file.read(_BLOCK)
            self._at_end = not block
            self._pending = self._convert(block)
        content = self._pending[: len(buffer)]
        self._pending = self._pending[len(content) :]
        buffer[: len(content)] = content
        return len(content)

    def _convert(self, block: bytes) -> bytes:
        """Return a block in UTF-8, without the bytes of a character that is not complete yet."""
        encoding, text = self._format.encoding, ""
        try:
            text = self._decoder.decode(block, final=self._at_end)
            content = text.encode("utf-8")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, "replace")
            line = self._line + before.count("\r" if self._format.has_cr_lines else "\n")
            wrong = error.object[error.start : error.end].hex(" ")
            raise InputError(
                f"{self._path}, line {line}: the bytes {wrong} are not {encoding}; give "
                "--encoding, or convert the file to one encoding."
            ) from None
        except UnicodeError as error:
            line = self._line + text.count("\n", 0, getattr(error, "start", 0))
            raise decoding_error(error, encoding, f"{self._path}, near line {line}") from None
        self._line += content.count(b"\n")
        return content


def decoding_error(error: UnicodeError, encoding: str, where: str) -> InputError:
    """Return the error for text that cannot be decoded.

    Args:
        error: Error of `bytes.decode`, or of `str.encode` for halves of surrogate pairs.
        encoding: Encoding of the text.
        where: File and line.
    """
    if isinstance(error, UnicodeDecodeError):
        return InputError(
            f"{where}: byte {error.start + 1} is not {encoding}; give --encoding, or convert the "
            "file to one encoding."
        )
    if isinstance(error, UnicodeEncodeError):
        return surrogate_error(error, where)
    return InputError(f"{where}: the line is not {encoding} ({error}).")


def is_encoding(name: str) -> bool:
    """Return whether Python has an encoding of text with this name."""
    try:
        b"a".decode(name)
    except UnicodeError:
        return True  # The encoding has more than one byte per character, such as UTF-16.
    except (LookupError, ValueError):
        return False
    return True


def _check_encoding(encoding: str) -> None:
    if not is_encoding(encoding):
        raise InputError(f"There is no encoding {encoding!r}; UTF-8 is usual.")


def _check_order(head: bytes, encoding: str, path: object) -> None:
    """Check that the order of bytes is known without a byte order mark.

    Args:
        head: First bytes of the file.
        encoding: Encoding that the user gave.
        path: File, for error messages.

    Raises:
        InputError: If the encoding has two orders of bytes, or the bytes look like UTF-16 although
            the encoding has one byte per ASCII character.
    """
    name = codecs.lookup(encoding).name
    if name in ("utf-16", "utf-32"):
        raise InputError(f"{path} has no byte order mark; give --encoding {name}-le or {name}-be.")
    if name.startswith(("utf-16", "utf-32")) or 3 * head.count(0) < len(head):
        return
    nuls = [head[start::2].count(0) for start in (0, 1)]
    if max(nuls) >= _MIN_NULS and not min(nuls):
        order = "be" if nuls[0] else "le"
        raise InputError(
            f"{path} looks like UTF-16 without a byte order mark; give --encoding utf-16-{order}."
        )

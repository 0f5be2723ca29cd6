"""WAV files whose headers are incomplete or wrong, as pipes and interrupted recorders leave them.

libsndfile decodes the samples. It trusts the sizes in the header, which players do not, so it gets
a new header.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from keras_seq._internal.errors import InputError

BYTE_ORDERS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
"""Byte order of each kind of WAV file, by its first four bytes."""
PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
"""Codes of sample formats."""
MIN_UNKNOWN_SIZE = 0x7FFFE000
"""Size from which it stands for an unknown size, as those that sox and arecord write into pipes."""
MAX_CHUNKS = 10_000
"""Maximum number of chunks before or after the samples."""
MAX_FORMAT_BYTES = 2**10
"""Maximum size of the chunk that describes the samples."""

_ID_CHARACTERS = frozenset(range(0x20, 0x7F))
"""Bytes that can be part of the name of a chunk."""


class _Header(NamedTuple):
    """Parts of a WAV file."""

    byte_order: str
    sample_format: bytes
    """Content of the chunk `fmt `."""
    start: int
    """Position of the samples."""
    num_bytes: int
    """Size of the samples according to the header, or 0 if it is unknown."""
    riff_size: int


class _RepairedFile(io.RawIOBase):
    """File that begins with other bytes than the original file.

    Args:
        file: Original file.
        head: First bytes.
        start: Position in the original file of what follows.
        num_bytes: Number of bytes that follow.
    """

    def __init__(self, file: BinaryIO, head: bytes, start: int, num_bytes: int) -> None:
        self._file, self._head = file, head
        self._start, self._size = start, len(head) + num_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, reference: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[reference]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        end = min(self._position + len(buffer), self._size)
        content = self._head[self._position : end]
        if not content and end > self._position:
            self._file.seek(self._start + self._position - len(self._head))
            content = self._file.read(end - self._position)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def repair(file: BinaryIO, path: Path) -> tuple[BinaryIO | io.RawIOBase, bool]:
    """Return a WAV or AU file with a correct header, or any other file itself.

    The size of the samples counts if the file or the RIFF chunk ends with them, or if only chunks
    follow. Any other size is unknown or wrong: the samples go on to the end of the file.

    Args:
        file: File, open for reading.
        path: Path of the file, for error messages.

    Returns:
        The file, and whether the size of its samples was unknown or wrong.

    Raises:
        InputError: If a WAV file has no samples or no description of their format.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    if head[:4] in (b".snd", b"dns.") and head[8:12] == bytes(4):
        # A size of zero is as unknown as one of 2**32 - 1, by which libsndfile reads to the end.
        return _RepairedFile(file, head[:8] + b"\xff" * 4, 12, size - 12), True
    if head[:4] not in BYTE_ORDERS or head[8:12] != b"WAVE":
        return file, False
    header = _parse(file, size, path)
    num_bytes = _num_bytes(file, header, size)
    # A file that ends after its header is empty, whatever its size says.
    is_wrong = num_bytes != header.num_bytes and num_bytes > 0
    sample_format, frame_bytes = _normalize_format(header)
    num_bytes -= num_bytes % frame_bytes
    content = _write_header(header.byte_order, sample_format, num_bytes)
    return _RepairedFile(file, content, header.start, num_bytes), is_wrong


def _parse(file: BinaryIO, size: int, path: Path) -> _Header:
    """Find the samples and the description of their format."""
    head = file.read(12)
    order = BYTE_ORDERS[head[:4]]
    (riff_size,) = struct.unpack(order + "I", head[4:8])
    sample_format, long_size, position = b"", 0, 12
    for _ in range(MAX_CHUNKS):
        chunk = _chunk_at(file, position, order)
        if chunk is None:
            break
        name, num_bytes = chunk
        position += 8
        if name == b"data" and sample_format:
            if num_bytes == 2**32 - 1 and long_size:
                num_bytes = long_size
            return _Header(order, sample_format, position, num_bytes, riff_size)
        if name == b"fmt ":
            sample_format = file.read(min(num_bytes, MAX_FORMAT_BYTES))
        if name == b"ds64":
            sizes = file.read(16).ljust(16, b"\0")
            riff_size, long_size = struct.unpack(order + "QQ", sizes)
        position = _next_chunk(file, position + num_bytes, num_bytes, order, size)
    missing = "audio data" if sample_format else "description of its format"
    raise InputError(f"{path} is damaged or is not an audio file: the WAV file has no {missing}.")


def _chunk_at(file: BinaryIO, position: int, order: str) -> tuple[bytes, int] | None:
    """Return name and size of the chunk at a position, or None if the file ends before it."""
    file.seek(position)
    head = file.read(8)
    return struct.unpack(order + "4sI", head) if len(head) == 8 else None


def _next_chunk(file: BinaryIO, end: int, num_bytes: int, order: str, size: int) -> int:
    """Return the position of the chunk after one, which some writers do not pad to even sizes."""
    # Padding is a zero byte, with which the name of a chunk cannot begin.
    is_padded = num_bytes % 2 == 1 and not _is_chunk(file, end, order, size)
    return end + is_padded


def _is_chunk(file: BinaryIO, position: int, order: str, size: int) -> bool:
    """Return whether a chunk that fits into the file seems to be at a position."""
    chunk = _chunk_at(file, position, order)
    if chunk is None or not _ID_CHARACTERS.issuperset(chunk[0]):
        return False
    return chunk[0] == b"data" or position + 8 + chunk[1] <= size


def _num_bytes(file: BinaryIO, header: _Header, size: int) -> int:
    """Return the size of the samples."""
    available = size - header.start
    num_bytes = header.num_bytes
    if num_bytes > available:
        return available
    ends = set()
    if 0 < num_bytes < MIN_UNKNOWN_SIZE:
        # Some writers count the eight bytes before the RIFF chunk.
        ends = {header.riff_size, header.riff_size + 8}
    chunk_bytes, end = num_bytes, header.start + num_bytes
    for _ in range(MAX_CHUNKS):
        start = _next_chunk(file, end, chunk_bytes, header.byte_order, size)
        # Fewer bytes than those of the smallest chunk are padding.
        if end in ends or start in ends or size - 8 < end <= size + 1:
            return num_bytes
        if not _is_chunk(file, start, header.byte_order, size):
            break
        _, chunk_bytes = _chunk_at(file, start, header.byte_order) or (b"", 0)
        end = start + 8 + chunk_bytes
    return available


def _normalize_format(header: _Header) -> tuple[bytes, int]:
    """Return the description of the format in its shortest form, and the size of a frame in bytes.

    Samples of fewer bits than their bytes have are aligned to the most significant bit.
    """
    content = header.sample_format
    if len(content) < 16:
        return content, 1
    code, channels, rate, _, frame_bytes, bits = struct.unpack_from(
        header.byte_order + "HHIIHH", content
    )
    if code == EXTENSIBLE:
        # The first bytes of the identifier of the format are the code of the format.
        code = struct.unpack_from(header.byte_order + "H", content, 24)[0] if content[25:] else PCM
    if code not in (PCM, FLOAT, A_LAW, MU_LAW) or not channels:
        return content, 1
    sample_bytes = -(-bits // 8) or 1
    if frame_bytes % channels == 0 and sample_bytes < frame_bytes // channels <= 4:
        sample_bytes = frame_bytes // channels
    if code in (A_LAW, MU_LAW):
        sample_bytes = 1
    frame_bytes = channels * sample_bytes
    if max(frame_bytes, 8 * sample_bytes) >= 2**16:
        return content, 1
    byte_rate = min(rate * frame_bytes, 2**32 - 1)
    values = code, channels, rate, byte_rate, frame_bytes, 8 * sample_bytes
    return struct.pack(header.byte_order + "HHIIHH", *values), frame_bytes


def _write_header(byte_order: str, sample_format: bytes, num_bytes: int) -> bytes:
    """Return the header of a WAV file, up to the samples."""
    sample_format += bytes(len(sample_format) % 2)
    riff_size = 4 + 8 + len(sample_format) + 8 + num_bytes
    sizes = b""
    if riff_size >= 2**32:
        sizes = struct.pack("<4sIQQQI", b"ds64", 28, riff_size + 36, num_bytes, 0, 0)
        riff_size = num_bytes = 2**32 - 1
    name = b"RIFX" if byte_order == ">" else b"RF64" if sizes else b"RIFF"
    return b"".join(
        (
            struct.pack(byte_order + "4sI", name, riff_size) + b"WAVE" + sizes,
            struct.pack(byte_order + "4sI", b"fmt ", len(sample_format)) + sample_format,
            struct.pack(byte_order + "4sI", b"data", num_bytes),
        )
    )

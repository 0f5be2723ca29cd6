"""Limits on the files that readers accept."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from keras_seq._internal.errors import InputError, unknown_name


@dataclasses.dataclass(frozen=True)
class DataLimits:
    """Limits on the files that readers accept. All values must be positive.

    Change single fields with `override`, or on the command line with `--limit NAME=VALUE`.
    """

    max_file_bytes: int = 8 * 2**30
    """Size of one file, in bytes."""
    max_document_bytes: int = 32 * 2**20
    """Size of one file that is read as a whole (image, tune book, catalog), in bytes."""
    max_unpacked_bytes: int = 8 * 2**30
    """Decompressed size of one compressed file, in bytes."""
    max_unpack_ratio: int = 200
    """Decompressed bytes per compressed byte, beyond the first MiB."""
    max_archive_members: int = 1_000
    """Number of files in one archive (.mxl)."""
    max_run_bytes: int = 16 * 2**30
    """Size of all files of a run that is pulled, in bytes."""
    max_files: int = 1_000_000
    """Number of files and folders in one data folder."""
    max_lines: int = 100_000_000
    """Number of lines in one text file."""
    max_line_bytes: int = 16 * 2**20
    """Size of one line of text, or of one XML element, in bytes."""
    max_cell_characters: int = 1_000_000
    """Length of one cell of a table, in characters."""
    max_depth: int = 64
    """Nesting depth of JSON and of XML."""
    max_elements: int = 2_000_000
    """Number of elements in one XML document that is read as a whole."""
    max_number_digits: int = 1_000
    """Length of one number in JSON, in digits."""
    max_vector_width: int = 10_000
    """Number of dimensions of one word vector."""
    max_sequence_letters: int = 10_000_000
    """Length of one FASTA sequence, in letters."""
    max_audio_seconds: float = 3600.0
    """Duration of one recording, in seconds."""
    max_sample_rate: int = 768_000
    """Sampling rate of one recording, in Hz."""
    max_audio_samples: int = 400_000_000
    """Number of samples in one recording, over all channels."""
    max_pixels: int = 50_000_000
    """Width times height of one image or video frame, in pixels."""
    max_video_seconds: float = 900.0
    """Duration of one video, in seconds."""
    max_video_frames: int = 100_000
    """Number of frames in one video."""
    max_tune_characters: int = 100_000
    """Length of one tune in ABC, in characters."""
    max_midi_bytes: int = 2**20
    """Size of one MIDI file, in bytes."""
    max_tune_notes: int = 10_000
    """Number of notes, rests and bar lines in one tune; of MusicXML, over all voices."""
    max_tune_bars: int = 4_000
    """Number of bars in one tune; of MusicXML, over all voices."""
    max_tune_quarters: float = 10_000.0
    """Duration of one tune in quarter notes; of MusicXML, over all voices."""
    max_bar_beats: int = 256
    """Number of beats in one bar: the upper number of its time signature, or its shortest notes."""
    max_decoding_seconds: float = 60.0
    """Time to decode one recording or video, in seconds."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise InputError(f"The limit {field.name} must be positive, got {value}.")


class LimitError(InputError):
    """Error for an input that exceeds one of the `DataLimits`."""


_current = contextvars.ContextVar("keras_seq_data_limits", default=DataLimits())  # noqa: B039  (it is frozen)


def get() -> DataLimits:
    """Return the current limits."""
    return _current.get()


@contextlib.contextmanager
def override(**fields: float) -> Iterator[DataLimits]:
    """Override limits within a `with` block.

    >>> with override(max_pixels=100) as limits:
    ...     limits.max_pixels
    100

    Args:
        **fields: New values of fields of `DataLimits`.

    Yields:
        The new limits.

    Raises:
        InputError: If a name is not a field, or a value is not positive.
    """
    changes: dict[str, Any] = {}
    for name, value in fields.items():
        _check_name(name)
        changes[name] = value
    token = _current.set(dataclasses.replace(get(), **changes))
    try:
        yield get()
    finally:
        _current.reset(token)


def parse(options: Iterable[str]) -> dict[str, float]:
    """Parse the values of the option `--limit`.

    >>> parse(["max_pixels=1000000"])
    {'max_pixels': 1000000}

    Args:
        options: Strings NAME=VALUE.

    Returns:
        Keyword arguments for `override`.

    Raises:
        InputError: If a string is not NAME=VALUE, or a name or value is not valid.
    """
    fields = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"--limit {option} must be NAME=VALUE, such as max_pixels=1000000.")
        _check_name(name)
        convert = type(getattr(DataLimits, name))
        try:
            fields[name] = convert(value)
        except ValueError:
            kind = "a whole number" if convert is int else "a number"
            raise InputError(f"--limit {option}: {value!r} is not {kind}.") from None
    return fields


def check(name: str, value: float, where: object, what: str) -> None:
    """Raise an error if a value exceeds a limit.

    Args:
        name: Field of `DataLimits`.
        value: Value to compare with the limit.
        where: File and, for text, line number, for the error message.
        what: Description of the value for the error message, such as "the sampling rate in Hz".

    Raises:
        LimitError: If the value exceeds the limit, or is NaN.
    """
    limit = getattr(get(), name)
    if not value <= limit:
        raise LimitError(
            f"{where}: {what} is {value}, above the limit of {limit}; raise it with "
            f"--limit {name}=VALUE."
        )


def _check_name(name: str) -> None:
    known = [field.name for field in dataclasses.fields(DataLimits)]
    if name not in known:
        raise unknown_name("limit", name, known)

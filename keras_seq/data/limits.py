"""Limits on what readers accept from files, in one table."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator

from keras_seq.errors import InputError, unknown


@dataclasses.dataclass(frozen=True)
class DataLimits:
    """Largest inputs that readers accept. All values must be positive.

    Override single fields with `override`, or on the command line with `--limit NAME=VALUE`.
    """

    max_file_bytes: int = 4 * 2**30
    """Size of one file, in bytes."""
    max_unpacked_bytes: int = 8 * 2**30
    """Size of what one compressed file unpacks to, in bytes."""
    max_audio_seconds: float = 3600.0
    """Duration of one recording, in seconds."""
    max_sample_rate: int = 768_000
    """Sampling rate of one recording, in Hz."""
    max_pixels: int = 50_000_000
    """Width times height of one picture or video frame."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise InputError(f"The limit {field.name} must be positive, not {value}.")


_current = contextvars.ContextVar("keras_seq_data_limits", default=DataLimits())


def get() -> DataLimits:
    """Return the limits in force."""
    return _current.get()


@contextlib.contextmanager
def override(**fields: float) -> Iterator[DataLimits]:
    """Replace some limits within a `with` block.

    Args:
        **fields: New values by the name of a field of `DataLimits`.

    Raises:
        InputError: If a name is not a field, or a value is not positive.
    """
    known = [field.name for field in dataclasses.fields(DataLimits)]
    for name in fields:
        if name not in known:
            raise unknown("limit", name, known)
    token = _current.set(dataclasses.replace(get(), **fields))
    try:
        yield get()
    finally:
        _current.reset(token)

"""Limits of a server, in one table."""

import dataclasses
import os

from keras_seq._internal.errors import InputError


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of one server; what exceeds one is refused in one sentence.

    All values must be positive; `batch_timeout_ms` may be 0. Each field is an option of `keras-seq
    serve`.
    """

    max_batch_size: int = 32
    """Instances, of one or more requests, that a model answers together; 1 for none together."""
    batch_timeout_ms: float = 2.0
    """Milliseconds that an instance waits for others to be answered with."""
    max_instances: int = 256
    """Instances a request."""
    max_length: int = 10_000
    """Characters or timesteps an instance."""
    max_body_bytes: int = 4_194_304
    """Bytes of the body of a request, unpacked."""
    max_queue: int = 512
    """Requests that wait for one signature of a model; more get the status 429."""
    request_timeout: float = 30.0
    """Seconds for a body to arrive, for its answer, and for the client to read it, each."""
    max_header_bytes: int = 65_536
    """Bytes of the request line and the header fields of a request."""
    max_connections: int = 512
    """Open connections. Beyond it, the one whose request has been arriving longest is closed."""
    max_pipelined_requests: int = 16
    """Requests that one connection sends before the first of them is answered."""
    max_buffered_bytes: int = 268_435_456
    """Bytes of all bodies that are arriving or being parsed; more get the status 503."""
    max_concurrent_runs: int = dataclasses.field(default_factory=lambda: os.cpu_count() or 1)
    """Runs of one model at the same time; one per core by default."""
    header_timeout: float = 10.0
    """Seconds for the request line and the header fields to arrive."""
    keep_alive_timeout: float = 5.0
    """Seconds that a connection stays open between two requests."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (field.name == "batch_timeout_ms" and value == 0)):
                raise InputError(f"{field.name} must be positive, not {value}.")

    def check(self, specs, arrays):
        """Check the number and the lengths of the inputs of one request.

        Args:
            specs: Name to `Spec`.
            arrays: Name to an array that fits it.

        Raises:
            InputError: If there are too many instances, or one is too long.
        """
        rows = {}
        for name, array in arrays.items():
            known = specs[name].shape or (None,) * array.ndim
            for axis, (size, fixed) in enumerate(zip(array.shape, known)):
                most, what = self.max_length, "timesteps"
                if axis == 0:
                    most, what = self.max_instances, "instances"
                if fixed is None and size > most:
                    raise InputError(f"{name!r} has {size} {what}; at most {most} are taken.")
                if fixed is None and axis == 0:
                    rows[name] = size
            if array.dtype == object:
                self._check_texts(name, array)
            # So `SequenceGenerator` calls what decides how long an answer takes.
            elif name == "max_length" and array.max() > self.max_length:
                raise InputError(f"{name!r} is {array.max()}; at most {self.max_length} is taken.")
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{name!r} {size}" for name, size in rows.items())
            raise InputError(f"The inputs must have equally many instances, not {counts}.")

    def _check_texts(self, name, texts):
        longest = max(texts.flat, key=len)
        # There are never more characters than bytes.
        if len(longest) > self.max_length:
            characters = len(longest.decode(errors="replace"))
            if characters > self.max_length:
                raise InputError(
                    f"{name!r} has a text of {characters} characters; at most "
                    f"{self.max_length} are taken."
                )

"""Limits on requests to a server."""

import dataclasses
import os
from collections.abc import Mapping

from keras_seq._internal import ranges
from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import NonNegativeFloat, PositiveFloat, PositiveInt
from keras_seq._internal.types import Array
from keras_seq.serving.tensors import TensorSpec


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits on requests to a server. A request beyond a limit gets an error.

    All values must be positive; `batch_timeout_ms` may also be 0. Each field is an option of
    `keras-seq serve`.

    >>> from keras_seq.serving import Limits
    >>> Limits(max_batch_size=8).request_timeout
    30.0
    """

    max_batch_size: PositiveInt = 32
    """Maximum number of instances per batch; 1 disables batching."""
    batch_timeout_ms: NonNegativeFloat = 2.0
    """Maximum time that an instance waits for its batch to fill, in milliseconds."""
    max_instances: PositiveInt = 256
    """Maximum number of instances per request."""
    max_length: PositiveInt = 10_000
    """Maximum length of an instance, in characters or time steps."""
    max_body_bytes: PositiveInt = 4_194_304
    """Maximum size of a request body after decompression, in bytes."""
    max_queue: PositiveInt = 512
    """Maximum number of waiting requests per signature. Further requests get status 429."""
    request_timeout: PositiveFloat = 30.0
    """Maximum time to receive a body, to compute the answer, and to send it, in seconds each."""
    max_header_bytes: PositiveInt = 65_536
    """Maximum size of the request line and header fields, in bytes."""
    max_connections: PositiveInt = 512
    """Maximum number of open connections. Beyond it, the oldest incomplete request is closed."""
    max_pipelined_requests: PositiveInt = 16
    """Maximum number of unanswered requests per connection."""
    max_buffered_bytes: PositiveInt = 268_435_456
    """Maximum size of all unparsed bodies together, in bytes. Further ones get status 503."""
    max_concurrent_batches: PositiveInt = dataclasses.field(
        default_factory=lambda: os.cpu_count() or 1
    )
    """Maximum number of concurrent batches per model. Default: number of CPU cores."""
    header_timeout: PositiveFloat = 10.0
    """Maximum time for the request line and header fields to arrive, in seconds."""
    keep_alive_timeout: PositiveFloat = 5.0
    """Maximum idle time of a connection between two requests, in seconds."""

    def __post_init__(self) -> None:
        ranges.check_fields(self)

    def check_inputs(self, specs: Mapping[str, TensorSpec], arrays: Mapping[str, Array]) -> None:
        """Check the number and lengths of the instances of one request.

        Args:
            specs: Spec of each input.
            arrays: Arrays that fit the specs.

        Raises:
            InputError: If there are too many instances, one is too long, or the inputs have
                different numbers of instances.
        """
        num_instances = {}
        for name, array in arrays.items():
            shape = specs[name].shape or (None,) * array.ndim
            for axis, (size, fixed) in enumerate(zip(array.shape, shape)):
                maximum, unit = self.max_length, "timesteps"
                if axis == 0:
                    maximum, unit = self.max_instances, "instances"
                if fixed is None and size > maximum:
                    raise InputError(f"{name!r} has {size} {unit}; at most {maximum} are allowed.")
                if fixed is None and axis == 0:
                    num_instances[name] = size
            if array.dtype == object:
                self._check_strings(name, array)
            # An exported `SequenceGenerator` generates up to this number of tokens.
            elif name == "max_length" and array.max() > self.max_length:
                raise InputError(
                    f"{name!r} is {array.max()}; at most {self.max_length} is allowed."
                )
        if len(set(num_instances.values())) > 1:
            counts = ", ".join(f"{name!r} {size}" for name, size in num_instances.items())
            raise InputError(f"All inputs must have the same number of instances, got {counts}.")

    def _check_strings(self, name: str, strings: Array) -> None:
        longest = max(strings.flat, key=len)
        # Decode only if needed: a string has at most as many characters as bytes.
        if len(longest) > self.max_length:
            num_characters = len(longest.decode(errors="replace"))
            if num_characters > self.max_length:
                raise InputError(
                    f"{name!r} has a text of {num_characters} characters; at most "
                    f"{self.max_length} are allowed."
                )

"""Parsing of request bodies and formatting of responses, in this process or in a worker process.

Parsing 4 MiB of numbers holds the GIL for 0.1 s, and formatting them takes longer. Worker processes
therefore handle large bodies, so that other requests do not wait.
"""

import asyncio
import functools
import json
import multiprocessing
import os
import signal
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NoReturn

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.serving.limits import Limits
from keras_seq.serving.tensors import ParsedRequest, SignatureSpec

ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's `wbits` for each supported `Content-Encoding`."""

MAX_INLINE_BYTES = 32_768
"""Maximum size of a body that this process parses; for small ones a worker is slower."""

MAX_INLINE_VALUES = 4_096
"""Maximum number of values of a response that this process formats."""

NICENESS = 10
"""Niceness of worker processes relative to the server, which gives small requests priority."""


class BodyTooLargeError(InputError):
    """Error for a body that is larger than the limit after decompression."""


class WorkerEndedError(Exception):
    """Error for a worker process that ended, for example because the machine ran out of memory."""


def decode_request(
    parse_request: Callable[[Any, dict[str, SignatureSpec]], ParsedRequest],
    raw: bytes | bytearray,
    encoding: str | None,
    specs: dict[str, SignatureSpec],
    limits: Limits,
) -> ParsedRequest:
    """Parse and check the body of a request.

    Args:
        parse_request: `parse_request` of a protocol.
        raw: Bytes of the body.
        encoding: One of `ENCODINGS`, or None for an uncompressed body.
        specs: Specs of the signatures by name.
        limits: Limits on requests.

    Raises:
        BodyTooLargeError: If the decompressed body exceeds the limit.
        InputError: If the body does not fit the protocol and a signature.
    """
    if encoding:
        raw = decompress(raw, encoding, limits.max_body_bytes)
    request = parse_request(parse_json(raw), specs)
    limits.check_inputs(specs[request.signature].inputs, request.arrays)
    return request


def encode_response(
    format_response: Callable[[dict[str, Array], Any], Any],
    outputs: dict[str, Array],
    response_format: Any,
) -> bytes:
    """Return the body of a response.

    Args:
        format_response: `format_response` of a protocol.
        outputs: Arrays by name.
        response_format: `ParsedRequest.response_format`.
    """
    return json.dumps(format_response(outputs, response_format)).encode()


def decompress(raw: bytes | bytearray, encoding: str, max_bytes: int) -> bytes:
    """Decompress a body.

    Args:
        raw: Compressed bytes.
        encoding: One of `ENCODINGS`.
        max_bytes: Maximum size of the result.

    Raises:
        BodyTooLargeError: If the result would be larger.
        InputError: If the data is damaged or incomplete.
    """
    stream = zlib.decompressobj(ENCODINGS[encoding])
    try:
        content = stream.decompress(raw, max_bytes + 1)
    except zlib.error:
        raise InputError(f"The body is not valid {encoding} data.") from None
    if len(content) > max_bytes:
        raise BodyTooLargeError(f"The decompressed body exceeds the maximum of {max_bytes} bytes.")
    if not stream.eof:
        raise InputError(f"The {encoding} data of the body is truncated.")
    if stream.unused_data:
        raise InputError(f"The body has data after the end of its {encoding} data.")
    return content


def parse_json(raw: bytes | bytearray) -> Any:
    """Return the value of a JSON text.

    Args:
        raw: JSON in UTF-8.

    Raises:
        InputError: If the text is not JSON, an object has duplicate names, or a number is not
            finite.
    """
    try:
        return json.loads(
            raw.decode(), parse_constant=_reject_constant, object_pairs_hook=_unique_members
        )
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"The body is not UTF-8 at byte {error.start}.") from None
    except RecursionError:
        raise InputError("The body is nested too deeply.") from None
    except ValueError as error:
        raise InputError(f"The body is not JSON: {error}.") from None


def _reject_constant(constant: str) -> NoReturn:
    raise InputError(f"The body contains {constant}, which is not a JSON number.")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dict, and reject duplicate names."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                raise InputError(f"The body has an object with the duplicate name {name[:50]!r}.")
            names.add(name)
    return members


class WorkerPool:
    """Worker processes for large bodies. They start when first needed.

    Args:
        num_processes: Number of processes.
    """

    def __init__(self, num_processes: int) -> None:
        self.num_processes = num_processes
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a function in a worker process.

        Args:
            function: Function that can be pickled.
            *arguments: Its arguments.

        Raises:
            WorkerEndedError: If the process ends before it returns.
        """
        pool = self._pool = self._pool or ProcessPoolExecutor(
            self.num_processes, multiprocessing.get_context("spawn"), _initialize_worker
        )
        call = functools.partial(function, *arguments)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            raise WorkerEndedError("The worker process ended: try again.") from None

    def close(self) -> None:
        """End the processes after their current calls."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _initialize_worker() -> None:
    """Lower the priority of a worker process, and end it with the server."""
    # Terminals and service managers signal all processes; only the server must react.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    threading.Thread(target=_end_with_server, daemon=True).start()


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    assert server is not None
    server.join()
    os._exit(0)

"""Bodies of requests and answers: bytes to arrays and back, in this process or in another.

Parsing 4 MiB of numbers holds Python's lock for 0.1 s and formatting them for longer, in whatever
thread, so that nobody else is answered. Large bodies are therefore left to processes of their own.
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
from typing import Any

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.serving.limits import Limits
from keras_seq.serving.tensors import Call, Interface

ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Values of `Content-Encoding` that are unpacked, with zlib's `wbits` of each."""

INLINE_BYTES = 32_768
"""Size of a body up to which it is parsed at once; a process takes longer to be asked."""

INLINE_VALUES = 4_096
"""Number of values up to which an answer is formatted at once."""

NICENESS = 10
"""Priority of the processes below the server's own, so that small requests come first."""


class TooLarge(InputError):
    """A body that is larger than the limit."""


class WorkerEnded(Exception):
    """A process for large bodies that ended, as when the machine's memory was used up."""


def decode(
    read: Callable,
    raw: bytes,
    encoding: str | None,
    interfaces: dict[str, Interface],
    limits: Limits,
) -> Call:
    """Return what the body of a request asks.

    Args:
        read: `read` of a protocol.
        raw: Bytes of the body.
        encoding: One of `ENCODINGS`, None if it is not compressed.
        interfaces: `Interface` by the name of a signature.
        limits: `Limits`.

    Raises:
        TooLarge: If it unpacks to more than the limit.
        InputError: If it is not a request that the protocol and a signature understand.
    """
    if encoding:
        raw = unpack(raw, encoding, limits.max_body_bytes)
    call = read(parse(raw), interfaces)
    limits.check(interfaces[call.signature].inputs, call.arrays)
    return call


def encode(write: Callable, outputs: dict[str, np.ndarray], form: Any) -> bytes:
    """Return the body of an answer.

    Args:
        write: `write` of a protocol, which takes the other arguments.
        outputs: Arrays by name.
        form: `Call.form` of the request.
    """
    return json.dumps(write(outputs, form)).encode()


def unpack(raw: bytes, encoding: str, most: int) -> bytes:
    """Decompress a body.

    Args:
        raw: Compressed bytes.
        encoding: One of `ENCODINGS`.
        most: Largest size that is unpacked, in bytes.

    Raises:
        TooLarge: If it unpacks to more.
        InputError: If it is damaged or incomplete.
    """
    stream = zlib.decompressobj(ENCODINGS[encoding])
    try:
        unpacked = stream.decompress(raw, most + 1)
    except zlib.error:
        raise InputError(f"The body is not valid {encoding} data.") from None
    if len(unpacked) > most:
        raise TooLarge(f"The body unpacks to more than {most} bytes, which is the most taken.")
    if not stream.eof:
        raise InputError(f"The body ends before its {encoding} data does.")
    if stream.unused_data:
        raise InputError(f"The body goes on after its {encoding} data.")
    return unpacked


def parse(raw: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        InputError: If it is not JSON, or holds what JSON should not: a name twice in one object,
            or a number that is not finite.
    """
    try:
        return json.loads(
            raw.decode(), parse_constant=_refuse_constant, object_pairs_hook=_object_of
        )
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"The body is not UTF-8 at byte {error.start}.") from None
    except RecursionError:
        raise InputError("The body is nested too deep.") from None
    except ValueError as error:
        raise InputError(f"The body is no JSON: {error}.") from None


def _refuse_constant(constant: str) -> None:
    raise InputError(f"The body holds {constant}, which is no number.")


def _object_of(pairs: list[tuple[str, Any]]) -> dict:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InputError(f"The body has an object with two members called {name[:50]!r}.")
            seen.add(name)
    return made


class Workers:
    """Processes that parse and format large bodies; none starts before it is needed.

    Args:
        number: Number of processes.
    """

    def __init__(self, number: int):
        self.number = number
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, function: Callable, *arguments: Any) -> Any:
        """Return the result of a function in one of the processes.

        Raises:
            WorkerEnded: If the process ended before it had the result.
        """
        pool = self._pool = self._pool or ProcessPoolExecutor(
            self.number, multiprocessing.get_context("spawn"), _begin
        )
        call = functools.partial(function, *arguments)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            raise WorkerEnded("The process for this body ended: try again.") from None

    def close(self) -> None:
        """End the processes, once they have done what they have begun."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _begin() -> None:
    """Prepare a process to live as long as the server, and to leave it the processor."""
    # Signals to all processes of a terminal or a service are the server's to handle.
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

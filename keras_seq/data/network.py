"""Answers from the network within a stated time, whatever keeps it silent."""

import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import TypeVar

TIMEOUT_SECONDS = 5.0
"""Seconds without an answer after which there is no network."""

Item = TypeVar("Item")


def iter_with_timeout(items: Iterable[Item], seconds: float | None = None) -> Iterator[Item]:
    """Yield items that another thread waits for.

    The time limits of sockets cover neither the resolution of names, which without a network takes
    minutes, nor an answer of one byte at a time.

    Args:
        items: Iterable that may block.
        seconds: Longest silence before an item, `TIMEOUT_SECONDS` by default.

    Raises:
        TimeoutError: If an item does not arrive in time.
    """
    seconds = TIMEOUT_SECONDS if seconds is None else seconds
    arrived: queue.Queue = queue.Queue(maxsize=16)
    end = object()

    def wait() -> None:
        try:
            for item in items:
                arrived.put((item, None))
            arrived.put((end, None))
        except Exception as error:
            arrived.put((end, error))

    threading.Thread(target=wait, daemon=True).start()
    while True:
        try:
            item, error = arrived.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"no answer within {seconds:g} seconds") from None
        if error is not None:
            raise error
        if item is end:
            return
        yield item


def is_reachable(url: str, seconds: float | None = None) -> bool:
    """Return whether a server answers, through the proxy if the environment names one.

    Args:
        url: HTTP or HTTPS address; any answer counts, a refusal too.
        seconds: Longest silence, `TIMEOUT_SECONDS` by default.
    """

    def ask() -> Iterator[bool]:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.build_opener().open(request, timeout=60):
                yield True
        except urllib.error.HTTPError:
            yield True
        except OSError:
            yield False

    try:
        return next(iter_with_timeout(ask(), seconds))
    except TimeoutError:
        return False

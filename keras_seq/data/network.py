"""Network access with a limit on the time without an answer."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

TIMEOUT_SECONDS = 5.0
"""Seconds without an answer after which the network counts as unavailable."""

Item = TypeVar("Item")


def iter_with_timeout(items: Iterable[Item], seconds: float | None = None) -> Iterator[Item]:
    """Yield items that a background thread waits for.

    The timeouts of sockets cover neither name resolution, which can take minutes without a network,
    nor an answer that arrives one byte at a time.

    Args:
        items: Iterable that may block.
        seconds: Maximum time to wait for an item, in seconds. Default: `TIMEOUT_SECONDS`.

    Raises:
        TimeoutError: If an item does not arrive in time.
    """
    seconds = TIMEOUT_SECONDS if seconds is None else seconds
    results: queue.Queue[tuple[Any, Exception | None]] = queue.Queue(maxsize=16)
    end = object()

    def produce() -> None:
        try:
            for item in items:
                results.put((item, None))
            results.put((end, None))
        except Exception as error:
            results.put((end, error))

    threading.Thread(target=produce, daemon=True).start()
    while True:
        try:
            item, error = results.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"no answer within {seconds:g} seconds") from None
        if error is not None:
            raise error
        if item is end:
            return
        yield item


def is_reachable(url: str, seconds: float | None = None) -> bool:
    """Return whether a server answers, through the proxy named by the environment if any.

    Args:
        url: HTTP or HTTPS address. Error responses count as answers too.
        seconds: Maximum time to wait, in seconds. Default: `TIMEOUT_SECONDS`.
    """

    def request_head() -> Iterator[bool]:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.build_opener().open(request, timeout=60):
                yield True
        except urllib.error.HTTPError:
            yield True
        except OSError:
            yield False

    try:
        return next(iter_with_timeout(request_head(), seconds))
    except TimeoutError:
        return False

"""Network access with timeouts."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

TIMEOUT_SECONDS = 5.0
"""Default time to wait for the network, in seconds."""

Item = TypeVar("Item")


def iter_with_timeout(items: Iterable[Item], seconds: float | None = None) -> Iterator[Item]:
    """Yield items, with a timeout per item.

    Socket timeouts cover neither name resolution, which can take minutes without a network, nor
    responses that arrive byte by byte. So a background thread waits for the items.

    Args:
        items: Iterable that may block.
        seconds: Timeout, in seconds. Default: `TIMEOUT_SECONDS`.

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
    """Return whether a server answers, even with an error. Uses the proxy of the environment.

    Args:
        url: HTTP or HTTPS URL.
        seconds: Timeout, in seconds. Default: `TIMEOUT_SECONDS`.
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

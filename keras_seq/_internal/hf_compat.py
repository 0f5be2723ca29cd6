"""Names of Hugging Face packages that are not part of their API, each with its reason.

`tests/_internal/test_hf_compat.py` has a test for each name, which fails when the name changes. No
other file may use one.
"""

import contextlib
from collections.abc import Iterator
from unittest import mock


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Read datasets from the cache, without requests.

    Both packages read the environment variable HF_HUB_OFFLINE when they are imported only. Without
    a network they repeat each request for 20 seconds or more.
    """
    from datasets import config
    from huggingface_hub import constants

    with (
        mock.patch.object(config, "HF_HUB_OFFLINE", True),
        mock.patch.object(constants, "HF_HUB_OFFLINE", True),
    ):
        yield


def http_error() -> type[Exception]:
    """Return the base class of the errors of the HTTP client, failed connections included.

    The client is requests, httpx or httpx2, depending on the version of `huggingface_hub`.
    """
    from huggingface_hub import errors

    return errors.HTTPError


def is_not_cached(error: Exception) -> bool:
    """Return whether `datasets` states in an error that a dataset or config is not in its cache.

    The error is a plain ValueError, as are those of damaged files.
    """
    return str(error).startswith("Couldn't find cache")

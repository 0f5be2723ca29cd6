"""Names of Hugging Face packages that keras-seq changes, each with its reason.

`tests/_internal/test_hf_compat.py` has a test for each name, which fails when the name changes. No
other file may change one.
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

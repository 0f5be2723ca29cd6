"""Private names of TensorFlow Datasets that keras-seq uses, each with its reason.

`tests/_internal/test_tfds_compat.py` has a test for each name, which fails when the name changes.
No other file may use one.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

SHUFFLE_BYTES = 2**26
"""Size of the examples that are shuffled in memory. More are shuffled in temporary files."""


@contextlib.contextmanager
def without_cloud() -> Iterator[None]:
    """Create builders without a request to Google Cloud Storage.

    The builder of an unprepared dataset requests its description there, whatever `try_gcs` is.
    Without a network, the request hangs for minutes. In any case, it leaves a temporary folder.
    """
    from tensorflow_datasets.core.dataset_info import DatasetInfo

    with mock.patch.object(DatasetInfo, "initialize_from_bucket", lambda _: None):
        yield


@contextlib.contextmanager
def download_timeout(seconds: float) -> Iterator[None]:
    """Limit how long downloads of TFDS wait for a server.

    TFDS sets no timeout and tries ten times, so a silent server would block it forever.

    Args:
        seconds: Maximum time to wait for a connection or for the next bytes, in seconds.
    """
    from requests.adapters import HTTPAdapter

    original = HTTPAdapter.send

    def send(self: HTTPAdapter, request: Any, **options: Any) -> Any:
        self.max_retries = self.max_retries.new(total=1)
        return original(self, request, **{**options, "timeout": seconds})

    with mock.patch.object(HTTPAdapter, "send", send):
        yield


@contextlib.contextmanager
def bounded_shuffling() -> Iterator[None]:
    """Limit the memory in which TFDS shuffles the examples that it writes to `SHUFFLE_BYTES`.

    The default is 1 GB of serialized examples, whose objects take several times as much if the
    examples are small. The order of the examples does not depend on the limit.
    """
    from tensorflow_datasets.core import shuffle

    with mock.patch.object(shuffle, "MAX_MEM_BUFFER_SIZE", SHUFFLE_BYTES):
        yield

"""Private names of TensorFlow Datasets that keras-seq uses, each with its reason.

`tests/_internal/test_tfds_compat.py` has a test for each, which fails when it changes; no other
file may mention one.
"""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def without_cloud() -> Iterator[None]:
    """Make builders without a look into the cloud, which hangs for minutes without a network.

    A builder of a set that is not prepared asks Google's storage for a description of it, whatever
    `try_gcs` says.
    """
    from tensorflow_datasets.core.utils import gcs_utils

    ask = gcs_utils.gcs_dataset_info_files
    gcs_utils.gcs_dataset_info_files = lambda *_: None
    try:
        yield
    finally:
        gcs_utils.gcs_dataset_info_files = ask

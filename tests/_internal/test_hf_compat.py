"""Existence and behavior of each name of Hugging Face packages that are not part of their API."""

import time

import pytest

from keras_seq._internal import hf_compat

datasets = pytest.importorskip("datasets")
constants = pytest.importorskip("huggingface_hub.constants")


def test_nothing_is_requested_offline():
    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    start = time.perf_counter()
    with hf_compat.offline(), pytest.raises(ConnectionError, match="OfflineModeIsEnabled"):
        datasets.load_dataset("keras-seq/none")
    assert time.perf_counter() - start < 2
    assert before == (datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE)


def test_a_refused_connection_is_an_error_of_the_client():
    from huggingface_hub import get_session

    with pytest.raises(hf_compat.http_error()):
        get_session().get("http://127.0.0.1:9/")

"""Existence and behavior of each name of Hugging Face packages that are not part of their API."""

import datasets
import pytest
from huggingface_hub import constants

from keras_seq._internal import hf_compat


def test_nothing_is_requested_offline():
    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    with hf_compat.offline(), pytest.raises(ConnectionError, match="OfflineModeIsEnabled"):
        datasets.load_dataset("keras-seq/none")
    assert before == (datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE)


def test_a_refused_connection_is_an_error_of_the_client():
    from huggingface_hub import get_session

    with pytest.raises(hf_compat.http_error()):
        get_session().get("http://127.0.0.1:9/")

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


def test_a_missing_config_has_the_message_of_a_dataset_that_is_not_cached(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    (tmp_path / "owner___mine/default/0.0.0/hash").mkdir(parents=True)
    with hf_compat.offline(), pytest.raises(ValueError) as error:
        datasets.load_dataset("owner/mine", "other")
    assert hf_compat.is_not_cached(error.value)
    assert not hf_compat.is_not_cached(ValueError("Expecting value"))

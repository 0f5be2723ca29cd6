"""Existence and behavior of each private name of TFDS that keras-seq uses."""

import tempfile

import pytest

from keras_seq._internal import tfds_compat

tfds = pytest.importorskip("tensorflow_datasets")
gcs_utils = pytest.importorskip("tensorflow_datasets.core.utils.gcs_utils")


class Unprepared(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(builder=self)

    def _split_generators(self, dl_manager):
        return {}

    def _generate_examples(self):
        yield from ()


def test_a_builder_asks_the_cloud_by_this_function_alone(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(gcs_utils, "gcs_dataset_info_files", lambda name: asked.append(name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    Unprepared(data_dir=tmp_path)
    assert asked == ["unprepared/1.0.0"], "TFDS asks no longer, or in another way"
    leftovers = len(list((tmp_path / "temporary").iterdir()))
    with tfds_compat.without_cloud():
        Unprepared(data_dir=tmp_path)
    assert len(asked) == 1
    assert len(list((tmp_path / "temporary").iterdir())) == leftovers
    Unprepared(data_dir=tmp_path)
    assert len(asked) == 2


def test_the_timeout_is_removed_after_downloads():
    from requests.adapters import HTTPAdapter

    send = HTTPAdapter.send
    with tfds_compat.download_timeout(1):
        assert HTTPAdapter.send is not send
    assert HTTPAdapter.send is send


class Numbers(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": ((i, {"text": str(i)}) for i in range(300))}

    def _generate_examples(self):
        yield from ()


def test_the_order_of_examples_does_not_depend_on_the_memory(tmp_path, monkeypatch):
    from tensorflow_datasets.core import shuffle

    contents, buckets = [], []
    original = shuffle.Shuffler._iter_buckets
    monkeypatch.setattr(
        shuffle.Shuffler, "_iter_buckets", lambda self: buckets.append(1) or original(self)
    )
    for num_bytes in (2**30, 1_000):
        monkeypatch.setattr(tfds_compat, "SHUFFLE_BYTES", num_bytes)
        folder = tmp_path / str(num_bytes)
        with tfds_compat.without_cloud(), tfds_compat.bounded_shuffling():
            builder = Numbers(data_dir=folder)
            builder.download_and_prepare()
        assert shuffle.MAX_MEM_BUFFER_SIZE == 1000 << 20
        contents.append([path.read_bytes() for path in sorted(folder.rglob("*.tfrecord*"))])
    assert contents[0] == contents[1] and len(contents[0][0]) > 300
    assert buckets == [1]

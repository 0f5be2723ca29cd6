"""Tests of prepared datasets: progress, concurrency, damage, and stale copies."""

import importlib
import os
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_seq._internal import folder_locks
from keras_seq._internal.errors import InputError
from keras_seq.data import cache, network, records, row_errors, summaries
from keras_seq.data.split import hash_split

tfds_builders = importlib.import_module("keras_seq.data.tfds_builders")


def test_progress_is_shown_in_terminals(monkeypatch, capsys):
    assert list(tfds_builders._show_progress((n for n in range(12)), "Preparing x")) == [*range(12)]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(tfds_builders._show_progress((n for n in range(12)), "Preparing x")) == [*range(12)]
    assert "12/?" in capsys.readouterr().err


@pytest.fixture
def load(workplace):
    """Return a function that loads a dataset and returns how often it has been prepared."""
    preparations = []

    def load(source="builtin", files=(), meanwhile=lambda: None):
        features = tfds.features.FeaturesDict({"text": tfds.features.Text()})

        def examples():
            preparations.append(source)
            meanwhile()
            yield "a", {"text": "a"}, "train"

        builder = tfds_builders.cached_dataset("some", "1.0.0", features, examples, source, files)
        assert list(tfds_builders.to_arrays(builder)["train"]["text"]) == [b"a"]
        return len(preparations)

    return load


ORDER = [29, 48, 40, 37, 6]
"""Order of the numbers of the test split, recorded before examples were held in files."""
FOLDER = "some/builtin/1.0.0"
"""Folder of the dataset that `load` loads."""


def test_another_process_waits(load, capsys):
    thread = threading.Thread(target=load)

    def meanwhile():
        thread.start()
        while "waiting" not in capsys.readouterr().err:
            time.sleep(0.01)

    assert load(meanwhile=meanwhile) == 1
    thread.join()
    assert load() == 1


def test_without_locks_another_process_may_finish_first(load, monkeypatch):
    monkeypatch.setattr(folder_locks, "fcntl", None)
    assert load(meanwhile=load) == 2
    assert load() == 2


DAMAGES = {
    "flipped": lambda raw: raw[:30] + bytes([raw[30] ^ 1]) + raw[31:],
    "cut": lambda raw: raw[:-1],
    "emptied": lambda raw: b"",
}


def test_a_damaged_copy_is_prepared_again(load, workplace, capsys):
    assert load() == 1
    folder, count = workplace / "tfds" / FOLDER, 1
    names = sorted(path.name for path in folder.iterdir())
    assert "dataset_info.json" in names and records.RECORD_NAME in names
    for name in names:
        for damage in DAMAGES.values():
            (folder / name).write_bytes(damage((folder / name).read_bytes()))
            count += 1
            assert load() == count
            error = capsys.readouterr().err
            assert name in error and "preparing the dataset some again" in error
    (folder / names[-1]).unlink()
    assert load() == count + 1 and "is missing" in capsys.readouterr().err
    (folder / records.RECORD_NAME).unlink()
    assert load() == count + 2


def test_incomplete_and_stale_copies_are_removed(load, workplace):
    file = workplace / "texts.csv"
    file.write_text("a")
    load("user file, as it was", [file])
    old = time.time() - 2 * records.MIN_IDLE_SECONDS
    copies = workplace / "tfds" / "some"
    [copy] = copies.glob("user_*/1.0.0")
    os.utime(copy / records.RECORD_NAME, (old, old))
    load()
    assert copy.exists(), "the file has not changed"
    incomplete = copies / "builtin" / "incomplete.AB12CD_1.0.0"
    incomplete.mkdir()
    os.utime(incomplete, (old, old))
    file.write_text("b, another time")
    os.utime(copy / records.RECORD_NAME)
    load()
    assert not incomplete.exists() and copy.exists(), "the copy may be in use"
    os.utime(copy / records.RECORD_NAME, (old, old))
    load()
    assert not copy.exists()


def test_a_dataset_in_preparation_is_kept(load, workplace):
    def meanwhile():
        [incomplete] = (workplace / "tfds/some/builtin").glob("incomplete.*")
        os.utime(incomplete, (0, 0))
        cache.remove_stale()
        assert incomplete.exists()

    load(meanwhile=meanwhile)


def test_a_damaged_public_dataset(workplace, monkeypatch):
    features = tfds.features.FeaturesDict({"text": tfds.features.Text()})

    class KerasSeqTest(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": [(0, {"text": "a"})]}

        def _generate_examples(self, numbered):
            yield from numbered

    monkeypatch.setattr(tfds_builders, "_is_online", lambda: False)
    with pytest.raises(
        InputError, match=r"not prepared in .* the network is unavailable: run `tfds"
    ):
        tfds_builders.load_tfds("keras_seq_test")
    monkeypatch.setattr(tfds_builders, "_is_online", lambda: True)
    folder = workplace / "tfds/keras_seq_test/1.0.0"
    assert tfds_builders.load_tfds("keras_seq_test").data_dir == str(folder)
    monkeypatch.setattr(tfds_builders, "_is_online", lambda: False)
    tfds_builders.load_tfds("keras_seq_test")
    for path in sorted(folder.iterdir()):
        raw = path.read_bytes()
        for damage in DAMAGES.values():
            path.write_bytes(damage(raw))
            with pytest.raises(InputError, match=f"is damaged: .*Remove .*{folder.parent}"):
                tfds_builders.load_tfds("keras_seq_test")
        path.write_bytes(raw)
    assert tfds_builders.load_tfds("keras_seq_test").is_prepared()


def test_a_download_that_stalls(workplace, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data.txt"

        class KerasSeqStalled(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                return tfds.core.DatasetInfo(builder=self)

            def _split_generators(self, dl_manager):
                dl_manager.download(url)

            def _generate_examples(self):
                yield from ()

        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setattr(tfds_builders, "_is_online", lambda: True)
        monkeypatch.setattr(network, "TIMEOUT_SECONDS", 0.05)
        with pytest.raises(
            InputError, match=r"The download of the dataset keras_seq_stalled failed"
        ):
            tfds_builders.load_tfds("keras_seq_stalled")


def test_is_online(monkeypatch):
    monkeypatch.setattr(network, "is_reachable", lambda url: url.startswith("https://storage."))
    assert tfds_builders._is_online()


def test_another_treatment_of_bad_rows_is_another_dataset(load):
    assert load("mine") == 1
    with row_errors.policy("skip"):
        assert load("mine") == 2 and load("mine") == 2
    assert load("mine") == 2


def test_the_order_of_examples_does_not_change(workplace):
    features = tfds.features.FeaturesDict({"text": tfds.features.Text()})

    def examples():
        for i in range(50):
            yield str(i), {"text": str(i)}, None

    builder = tfds_builders.cached_dataset("numbers", "1.0.0", features, examples)
    arrays = tfds_builders.to_arrays(builder)
    assert {split: len(rows["text"]) for split, rows in arrays.items()} == {
        split: sum(hash_split(str(i)) == split for i in range(50))
        for split in ("train", "validation", "test")
    }
    assert [int(text) for text in arrays["test"]["text"]] == ORDER


def test_texts_and_numbers_are_read_as_tfds_reads_them(workplace):
    features = tfds.features.FeaturesDict(
        {
            "text": tfds.features.Text(),
            "rating": tfds.features.Scalar(np.float32),
            "number": tfds.features.Scalar(np.int64),
        }
    )

    def examples():
        for i in range(50):
            yield str(i), {"text": "é" * i, "rating": i / 3, "number": -i}, None

    builder = tfds_builders.cached_dataset("mixed", "1.0.0", features, examples)
    for split, columns in tfds_builders.to_arrays(builder).items():
        assert tfds_builders._read_scalars(builder, split) is not None
        expected = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
        assert list(columns) == list(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(columns[name], values)
            assert columns[name].dtype == values.dtype


@pytest.mark.parametrize(
    "feature", [tfds.features.Tensor(shape=(2,), dtype=np.uint8), tfds.features.Scalar(np.uint8)]
)
def test_other_features_are_left_to_tfds(workplace, feature):
    value = np.zeros(feature.shape, np.uint8) + 200
    features = tfds.features.FeaturesDict({"x": feature})
    builder = tfds_builders.cached_dataset(
        "bytes", "1.0.0", features, lambda: iter([("a", {"x": value}, "train")])
    )
    assert tfds_builders._read_scalars(builder, "train") is None
    [x] = tfds_builders.to_arrays(builder)["train"]["x"]
    np.testing.assert_array_equal(x, value)


def test_summaries_come_with_cached_copies(workplace):
    summary = summaries.ReadSummary(
        "a.csv", "table", 1, "utf-8", ";", True, {"text": "x"}, {"blank": 2}, ("note",)
    )

    def examples():
        summaries.add(summary)
        yield "a", {"text": "a"}, "train"

    features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
    for _ in range(2):
        with summaries.collect_summaries() as read:
            tfds_builders.cached_dataset("some", "1.0.0", features, examples, "mine")
        assert read == [summary]
    assert records.read_summaries(workplace) == []
    assert str(summary) == (
        "a.csv: table, UTF-8, delimiter semicolon, header, text = 'x'; 1 row; left out 2: blank; "
        "note"
    )

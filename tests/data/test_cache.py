"""Tests of the cache: listing and removal of entries."""

import json
import os

import pytest

from keras_seq import cli
from keras_seq._internal import folder_locks
from keras_seq.data import cache, records


@pytest.fixture
def filled(workplace):
    """Create a cache with one entry of each kind, and files of the user."""
    mine = workplace / "mine"
    mine.mkdir()
    (mine / "a.txt").write_text("a")
    copy = "user_0123456789abcdef"
    for name in ("ner/builtin/1.0.0", f"ner/{copy}/1.0.0", "mnist/3.0.1", "glue/sst2/2.0.0"):
        folder = workplace / "tfds" / name
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
        records.write_record(folder, [mine / "a.txt"] if copy in name else [])
        os.utime(folder / records.RECORD_NAME, (1e9, 1e9))
    (workplace / "tfds/ner/.config").mkdir()
    archive = workplace / "cache/archives/ab12/thing-1.0.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(bytes(1_500_000))
    os.utime(archive, (1e9, 1e9))
    return workplace


NAMES = [
    "archives/thing-1.0.tar.gz",
    "ner/builtin/1.0.0",
    "ner/user_0123456789abcdef/1.0.0",
    "tfds:glue/sst2/2.0.0",
    "tfds:mnist/3.0.1",
]


def names():
    return [entry.name for entry in cache.list_entries()]


def test_list_entries(filled, capsys):
    assert cli.main(["cache"]) == 0
    rows = capsys.readouterr().out
    for name in NAMES:
        assert name in rows
    assert "1.5 MB" in rows and "2001-09-0" in rows and str(filled / "mine") in rows
    assert str(filled / "tfds/mnist/3.0.1") in rows
    [entry] = cache.list_entries("archives")
    assert (entry.size, entry.used) == (1_500_000, 1e9)
    assert cli.main(["cache", "nre"]) == 2
    assert "There is no entry of the cache 'nre'" in capsys.readouterr().err


def test_clear(filled, capsys):
    assert cli.main(["cache", "--clear", "ner/builtin"]) == 0
    assert "ner/builtin/1.0.0" in capsys.readouterr().out
    assert names() == [NAMES[0], *NAMES[2:]]
    assert cli.main(["cache", "--clear"]) == 0
    assert names() == NAMES[3:], "other programs may use public datasets"
    assert cli.main(["cache", "--clear", "tfds:glue"]) == 0
    assert names() == NAMES[4:]
    assert cli.main(["cache", "--clear"]) == 0
    assert "The cache is empty" in capsys.readouterr().out
    assert (filled / "mine/a.txt").exists()


def test_entries_in_use_are_kept(filled):
    with folder_locks.hold(filled / "tfds/ner/builtin"):
        cache.clear("ner")
    assert "ner/builtin/1.0.0" in names() and len(names()) == len(NAMES) - 1


def test_datasets_of_removed_files_are_stale(filled):
    cache.remove_stale()
    assert names() == NAMES
    (filled / "mine/a.txt").unlink()
    cache.remove_stale()
    assert names() == NAMES[:2] + NAMES[3:]


@pytest.mark.parametrize("record", [None, "", "[]", '{"files": 3}', '{"files": [[1]]}'])
def test_datasets_without_a_record_are_stale(filled, record):
    path = filled / "tfds/ner/user_0123456789abcdef/1.0.0" / records.RECORD_NAME
    path.unlink()
    if record is not None:
        path.write_text(record)
        os.utime(path, (1e9, 1e9))
    os.utime(path.parent, (1e9, 1e9))
    assert records.find_damage(path.parent) and len(cache.list_entries()) == len(NAMES)
    cache.remove_stale()
    assert names() == NAMES[:2] + NAMES[3:]


def test_record_of_a_dataset(tmp_path):
    (tmp_path / "part").write_text("a")
    records.write_record(tmp_path)
    content = json.loads((tmp_path / records.RECORD_NAME).read_text())
    assert list(content["parts"]) == ["part"] and content["parts"]["part"][0] == 1
    assert records.find_damage(tmp_path) is None and not records.is_stale(tmp_path)


def test_upload_folders_of_killed_pages_are_removed(workplace):
    for name in ("killed", "alive"):
        (cache.upload_folder() / name).mkdir(parents=True)
        os.utime(cache.upload_folder() / name, (1e9, 1e9))
    with folder_locks.hold(cache.upload_folder() / "alive"):
        cache.remove_stale()
        assert [folder.name for folder in cache.upload_folder().iterdir()] == ["alive"]


def test_a_remote_dataset_folder_is_an_error(workplace, monkeypatch, capsys):
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://bucket")
    assert cli.main(["cache"]) == 2
    assert "TFDS_DATA_DIR is the URL gs://bucket" in capsys.readouterr().err

"""Atomic writes, locked folders, and detection of damaged files."""

import json
import subprocess
import sys
import zipfile

import damage
import numpy as np
import pytest

from keras_seq._internal import files
from keras_seq._internal.errors import DamagedFileError, InputError

CONTENT = {"recipe": "ner", "numbers": [1, 2.5, float("inf")], "text": "汉字", "deep": {"a": None}}


def test_writes_are_atomic(tmp_path):
    path = tmp_path / "new/file.json"
    files.write_json(path, [1])
    with pytest.raises(KeyError), files.atomic_write(path) as new:
        new.write_text("half")
        raise KeyError
    assert json.loads(path.read_text()) == [1]
    with files.atomic_write(path, keep_previous=True) as new:
        new.write_text("[2]")
    assert files.previous_path(path).read_text() == "[\n  1\n]\n" and path.read_text() == "[2]"
    assert {file.name for file in path.parent.iterdir()} == {"file.json", "file.previous.json"}


def test_lock_is_exclusive(tmp_path):
    folder = tmp_path / "runs/ner/default"
    with files.exclusive_lock(folder):
        with pytest.raises(InputError, match=f"Another process uses {folder}"):  # noqa: SIM117
            with files.exclusive_lock(folder):
                raise AssertionError
        code = f"""
from pathlib import Path
from keras_seq._internal import files
with files.exclusive_lock(Path({str(folder)!r})):
    pass
"""
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert other.returncode == 1 and "Another process uses" in other.stderr
    assert not (tmp_path / "runs").exists(), "nothing was written"
    with files.exclusive_lock(folder):
        (folder / "config.json").touch()
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_a_lock_ends_with_its_process(tmp_path):
    code = f"""
import os
from pathlib import Path
from keras_seq._internal import files
with files.exclusive_lock(Path({str(tmp_path)!r})):
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    with files.exclusive_lock(tmp_path):
        pass


def test_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file/run", tmp_path / ("long" * 100)):
        with pytest.raises(InputError, match=r"The folder .* cannot be created: "):
            files.exclusive_lock(folder).__enter__()


def read_json(path):
    return files.read_checked_json(path, "remedy")


def read_zip(path):
    files.check_zip(path, ["a.npy", "b.npy"], "remedy")
    with np.load(path) as arrays:
        return {name: arrays[name].tolist() for name in ("a", "b")}


def write_zip(path):
    np.savez(path, a=np.arange(30.0), b=np.array("text"))


@pytest.mark.parametrize("kind", damage.KINDS)
@pytest.mark.parametrize(
    "name, write, read",
    [
        ("state.json", lambda path: files.write_checked_json(path, CONTENT), read_json),
        ("arrays.npz", write_zip, read_zip),
    ],
    ids=["json", "zip"],
)
def test_damage_is_detected(tmp_path, name, write, read, kind):
    path = tmp_path / name
    write(path)
    whole, intact = path.read_bytes(), read(path)
    seen = 0
    for damaged in damage.versions(whole, kind, 200):
        path.write_bytes(damaged)
        try:
            # Bytes without content, such as times in a zip directory, may have any value.
            content = read(path)
            assert {key: content[key] for key in intact} == intact
        except DamagedFileError as error:
            seen += 1
            message = str(error)
            assert message.startswith(f"{path} is damaged: ") and message.endswith("; remedy.")
            assert "\n" not in message
    assert seen > 180 * (kind != "emptied") if kind != "flipped" else seen > 120


def test_json_that_is_not_an_object_or_was_written_by_hand(tmp_path):
    path = tmp_path / "state.json"
    for text in ("[1]", "[" * 100_000, '"a"', "1", "null"):
        path.write_text(text)
        with pytest.raises(DamagedFileError):
            read_json(path)
    path.write_text('{"recipe": "ner"}')
    assert read_json(path) == {"recipe": "ner"}, "older versions wrote no checksum"


def test_missing_member(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(DamagedFileError, match=r"its member model.weights.h5 is missing; remedy"):
        files.check_zip(path, ["config.json", "model.weights.h5"], "remedy")


def test_compressed_members_are_rejected(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", " " * 100_000)
    with pytest.raises(DamagedFileError, match=r"its member config.json is compressed"):
        files.check_zip(path, ["config.json"], "remedy")


def test_previous_version_is_read_if_a_file_is_damaged_or_missing(tmp_path, capsys):
    path = tmp_path / "state.json"
    assert files.read_with_fallback(path, read_json) is None
    for number in range(3):
        files.write_checked_json(path, {"number": number}, keep_previous=True)
    assert files.read_with_fallback(path, read_json) == {"number": 2}
    assert capsys.readouterr().err == ""
    path.write_text("")
    assert files.read_with_fallback(path, read_json) == {"number": 1}
    assert capsys.readouterr().err == (
        f"keras-seq: warning: {path} is damaged: it is empty; using its previous version "
        "state.previous.json.\n"
    )
    files.previous_path(path).write_text("{")
    with pytest.raises(DamagedFileError, match=r"state.json is damaged: it is empty"):
        files.read_with_fallback(path, read_json)
    files.write_checked_json(files.previous_path(path), {"number": 1})
    path.unlink()  # as by a kill between the two renames
    assert files.read_with_fallback(path, read_json) == {"number": 1}


def test_names_of_texts_differ():
    long = "a" * 40
    texts = [
        "a",
        "A word",
        "a_word",
        "a-word",
        long,
        f"{long}b",
        f"{long}c",
        "",
        "_",
        "字",
        "x/1",
        "y/1",
    ]
    names = [files.name_for(text) for text in texts]
    assert len(set(names)) == len(texts)
    assert all(len(name) <= 49 and "/" not in name for name in names)
    assert names[0] == "a" and names[4] == long and names[9] == "字"
    assert files.name_for("x/1.wav", "1") != files.name_for("y/1.wav", "1")
    assert files.name_for("x/1.wav", "1").startswith("1_")

"""Files out of source distributions and wheels."""

import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from keras_seq import data
from keras_seq.errors import InputError


@pytest.fixture
def pip(monkeypatch):
    """In place of pip: writes an archive, or fails; what it was asked, and both SHA-256."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("thing-1.0/data/words.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"words"))
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("thing/b.mo", "thing/a.mo", "thing/c.py"):
            archive.writestr(name, name)
    asked = []

    def run(command, **_):
        asked.append(command)
        if "gone==1.0" in command:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: one\nERROR: no such thing\n")
        folder = Path(command[command.index("--dest") + 1])
        name, made = "thing-1.0.tar.gz", buffer
        if "--only-binary" in command:
            name, made = "thing-1.0-py3-none-any.whl", wheel
        (folder / name).write_bytes(made.getvalue())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return asked, *(hashlib.sha256(made.getvalue()).hexdigest() for made in (buffer, wheel))


def test_reads_a_file(pip):
    asked, sha256, _ = pip
    assert data.read_from_sdist("thing", "1.0", sha256, "data/words.txt") == b"words"
    assert asked[0][1:4] == ["-m", "pip", "download"] and "thing==1.0" in asked[0]


def test_reads_files_of_a_wheel(pip):
    *_, sha256 = pip
    found = data.read_from_wheel("thing", "1.0", sha256, lambda name: name.endswith(".mo"))
    assert list(found.items()) == [("thing/a.mo", b"thing/a.mo"), ("thing/b.mo", b"thing/b.mo")]


def test_another_archive_is_refused(pip):
    with pytest.raises(InputError, match=r"has SHA-256 .*, expected 00"):
        data.read_from_sdist("thing", "1.0", "00", "data/words.txt")


def test_says_why_pip_failed(pip):
    with pytest.raises(InputError, match=r"of gone 1\.0, which pip .*no such thing"):
        data.read_from_sdist("gone", "1.0", "00", "a")

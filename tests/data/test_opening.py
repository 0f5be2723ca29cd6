"""Tests of files that are not regular, too large, or damaged."""

import contextlib
import gzip
import itertools
import os
import socket

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.data import limits, list_files_by_class, list_files_by_split, opening, read_lines
from keras_seq.data.opening import check_folder, check_regular_file, translate_errors


def test_only_regular_files_are_opened(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "link.txt").symlink_to("a.txt")
    assert list(read_lines(tmp_path / "link.txt")) == [(1, "one")]
    (tmp_path / "dangling.txt").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "to_pipe.txt").symlink_to("pipe.txt")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        # A path of a socket has at most 108 bytes.
        with contextlib.chdir(tmp_path):
            listening.bind("socket.txt")
        for name, message in {
            "pipe.txt": "pipe.txt is a named pipe; only regular files are read",
            "to_pipe.txt": "to_pipe.txt is a named pipe",
            "socket.txt": "socket.txt is a socket",
            "dangling.txt": "There is no file .*dangling.txt",
            "a.txt/b": "There is no file .*a.txt/b",
            "/dev/zero": "/dev/zero is a device",
            ".": "is a folder; a file is needed",
            "a\0b": "is not a path",
            "x" * 300: r"xxx\.\.\. cannot be read: File name too long",
        }.items():
            with pytest.raises(InputError, match=message):
                next(read_lines(tmp_path / name))


def test_a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    with pytest.raises(InputError, match=r"a\.txt is a file; a folder is needed"):
        list_files_by_class(tmp_path / "a.txt", [".png"])
    with pytest.raises(InputError, match="There is no folder"):
        check_folder(tmp_path / "none")


def test_special_files_in_data_folders(tmp_path):
    os.mkfifo(tmp_path / "train.csv")
    with pytest.raises(InputError, match=r"train\.csv is a named pipe"):
        list_files_by_split(tmp_path)
    with pytest.raises(InputError, match=r"train\.csv is a named pipe"):
        list_files_by_split(tmp_path / "train.csv")


def test_too_many_files(tmp_path):
    for name in ("train.csv", "test.csv", "dev.csv"):
        (tmp_path / name).write_text("a")
    assert len(list_files_by_split(tmp_path)) == 3
    with limits.override(max_files=2), pytest.raises(limits.LimitError, match="number of files"):
        list_files_by_split(tmp_path)


TEN_LINES = b"0123456789\n" * 10


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_file_bytes": 109}, r"a\.txt: the size in bytes is 110, above the limit of 109"),
        ({"max_lines": 9}, r"a\.txt: the number of lines is 10, above the limit of 9"),
        ({"max_line_bytes": 10}, r"a\.txt, line 1: the size in bytes is 11, above"),
    ],
)
def test_large_texts(tmp_path, limit, message):
    path = tmp_path / "a.txt"
    path.write_bytes(TEN_LINES)
    name, value = next(iter(limit.items()))
    with limits.override(**{name: value + 1}):
        assert len(list(read_lines(path))) == 10
    with limits.override(**limit), pytest.raises(limits.LimitError, match=message):
        list(read_lines(path))


def test_decompressed_size(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(TEN_LINES))
    with limits.override(max_unpacked_bytes=110, max_unpack_ratio=1):
        assert len(list(read_lines(path))) == 10  # The ratio of a small file is not checked.
    with (
        limits.override(max_unpacked_bytes=109),
        pytest.raises(limits.LimitError, match="unpacked size in bytes is 110, above"),
    ):
        list(read_lines(path))


@pytest.mark.parametrize("line", [b"\0" * 2**20, b"\n" * 2**20], ids=["one line", "blank lines"])
def test_a_decompression_bomb_is_detected_early(tmp_path, line):
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(line * 16))
    with pytest.raises(limits.LimitError, match="the ratio of unpacked to packed bytes is"):
        list(itertools.islice(read_lines(path), 2**21))


def test_names_of_encodings(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\n")
    for encoding in ("utf-9", "zlib", "a\0b"):
        with pytest.raises(InputError, match="There is no encoding"):
            list(read_lines(path, encoding))
    with pytest.raises(InputError, match="line 1: the line is not undefined"):
        list(read_lines(path, "undefined"))


def test_half_of_a_surrogate_pair_in_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"ab\\ud800\n")
    with pytest.raises(InputError, match=r"line 1: character 3 is half a surrogate pair \(U\+D800"):
        list(read_lines(path, "unicode_escape"))


def test_translate_errors():
    damaged = r"a\.mo is damaged or is not a catalogue: KeyError 'x'\."
    with (
        pytest.raises(InputError, match=damaged),
        translate_errors("a.mo", "a catalogue", LookupError),
    ):
        {}["x"]
    with pytest.raises(TypeError), translate_errors("a.mo", "a catalogue", LookupError):
        len(1)
    with pytest.raises(limits.LimitError), translate_errors("a.mo", "a catalogue", ValueError):
        limits.check("max_files", 10**9, "a", "the number of files")


def test_a_file_without_read_permission(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be read: permission denied"):
        check_regular_file(tmp_path / "a.txt")


def test_hidden_and_resource_files_are_no_data(tmp_path):
    names = "._1.png", ".DS_Store", "Thumbs.db", "desktop.ini", "~$2.png", "__MACOSX/0/1.png"
    for digit in "01":
        for name in ("1.png", ".git/3.png", *names):
            (tmp_path / digit / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / digit / name).touch()
    (tmp_path / "__MACOSX/0").mkdir(parents=True)
    _, files = list_files_by_class(tmp_path, [".png", ".db", ".ini"])
    expected = [tmp_path / "0/1.png", tmp_path / "1/1.png"]
    assert [file for file, *_ in files] == expected
    assert [file for file in opening.list_folder(tmp_path, "**/*") if file.is_file()] == expected
    # The folder itself may be hidden: the user has named it.
    tmp_path = (tmp_path / "0").rename(tmp_path / ".0")
    assert [file.name for file in opening.list_folder(tmp_path)] == ["1.png"]

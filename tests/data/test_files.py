"""Tests of the lines of text files, compressed by gzip or not."""

import gzip

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.data import (
    collect_summaries,
    list_files_by_split,
    read_first_line,
    read_lines,
    read_table,
)

CONTENT = "\ufefftext,label\r\nüben,good\r\n".encode()


@pytest.mark.parametrize("compressed", [False, True])
def test_lines_and_tables(tmp_path, compressed):
    path = tmp_path / ("a.csv.gz" if compressed else "a.csv")
    path.write_bytes(gzip.compress(CONTENT, mtime=0) if compressed else CONTENT)
    assert list(read_lines(path)) == [(1, "text,label"), (2, "üben,good")]
    columns = {"text": "text", "label": "label"}
    assert list(read_table(path, columns)) == [(2, "üben", "good")]
    with pytest.raises(InputError, match=r"no column 'x'; there are text, label\. Say"):
        list(read_table(path, {"text": "x"}, hint="Say which."))
    with pytest.raises(InputError, match="line 2: byte 1 is not ascii"):
        (tmp_path / "b.txt").write_text("text\nüben\n", encoding="utf-8")
        list(read_lines(tmp_path / "b.txt", "ascii"))


def test_the_first_line_that_is_not_blank(tmp_path):
    path = tmp_path / "a.txt"
    for content, line in (("\n \t\na b \nc\n", "a b "), ("\n \n", ""), ("", "")):
        path.write_text(content, encoding="utf-8")
        assert read_first_line(path) == line


@pytest.mark.parametrize(
    "content",
    [gzip.compress(CONTENT, mtime=0)[:-9], CONTENT, b"\x1f\x8b\x08" * 9],
    ids=["truncated", "not compressed", "header only"],
)
def test_damaged_gzip_files(tmp_path, content):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.txt\.gz is damaged or is not a gzip file"):
        list(read_lines(path))


def test_other_files_of_a_folder_with_splits_are_named(tmp_path):
    for name in ("train.txt", "test.txt", ".hidden", "extra.txt", "README.md"):
        (tmp_path / name).touch()
    with collect_summaries() as summaries:
        assert len(list_files_by_split(tmp_path)) == 2
    expected = "not read, since no split has their name; 2 files; README.md, extra.txt"
    assert str(summaries[0]) == f"{tmp_path}: {expected}"
    for number in range(6):
        (tmp_path / f"train{number}.txt").touch()
    with collect_summaries() as summaries:
        list_files_by_split(tmp_path)
    assert str(summaries[0]).endswith("train0.txt, train1.txt, train2.txt and 3 others")
    for name in ("README.md", "extra.txt", *(f"train{number}.txt" for number in range(6))):
        (tmp_path / name).unlink()
    with collect_summaries() as summaries:
        list_files_by_split(tmp_path)
    assert summaries == []

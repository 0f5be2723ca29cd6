"""Files and folders of tunes: styles, splits, damaged files, and summaries."""

import doctest
import importlib
import json

import pytest
from keras_seq_recipes.music import sources

from keras_seq._internal.errors import InputError
from keras_seq.data import collect_summaries, limits, row_errors

MODULES = ("abc_books", "abc_fields", "abc_reader", "abc_voice", "melodies", "midi", "skylines")
HEAD = "X:1\nM:4/4\nL:1/4\nK:C\n"


def write(folder, **contents):
    """Write files, given their contents by path with "_" for "/"."""
    for name, content in contents.items():
        path = folder / (name.replace("_", "/") + ".abc")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def styles(path):
    return [(file.stem, style, split) for file, style, split in sources.list_tune_files(path)]


def read(path):
    """Return the tokens of all tunes, and the summary."""
    with collect_summaries() as summaries:
        examples = list(sources.read_tunes(path, sources.list_tune_files(path)))
    [summary] = summaries
    return [row["tokens"].split() for _, row, _ in examples], summary


def test_styles_of_files_and_folders(tmp_path):
    folder = write(tmp_path / "mine", jig_a=HEAD, jig_more_b=HEAD, reel_c=HEAD)
    (folder / ".d.abc").write_text(HEAD)
    (folder / "jig" / "._a.abc").write_text(HEAD)
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "a.abc").write_text(HEAD)
    (folder / "jig" / "a.txt").write_text(HEAD)
    assert styles(folder) == [("a", "jig", None), ("b", "jig", None), ("c", "reel", None)]
    assert styles(folder / "jig") == [("a", "jig", None), ("b", "jig", None)]
    assert styles(folder / "reel" / "c.abc") == [("c", "c", None)]
    folder = write(tmp_path / "split", train_jig_a=HEAD, test_jig_b=HEAD, validation_jig_c=HEAD)
    assert styles(folder) == [
        *[("a", "jig", "train"), ("c", "jig", "validation"), ("b", "jig", "test")]
    ]
    folder = write(tmp_path / "one", train_a=HEAD, test_b=HEAD)
    assert styles(folder) == [("a", "one", "train"), ("b", "one", "test")]


def test_paths_without_tunes(tmp_path):
    for path, message in (
        (tmp_path / "none", "There is no file or folder"),
        (tmp_path, "has no files of tunes; those end in .abc, .mid"),
        (tmp_path / "a.txt", "is not a file of tunes; those end in .abc, .mid"),
    ):
        (tmp_path / "a.txt").write_text(HEAD)
        with pytest.raises(InputError, match=message):
            sources.list_tune_files(path)


def test_a_bad_tune_stops_or_is_left_out(tmp_path):
    """A tune above a limit is a bad tune, too."""
    bad, long = HEAD + "C/0|\n", HEAD + "C|D|E|F|G|\n"
    folder = write(tmp_path, a_x=HEAD + "C|\n\n" + bad + "\n" + HEAD, b_x=long, b_y=HEAD + "D|")
    write(folder, a_z=HEAD + "E|", b_z=HEAD + "F|")
    (folder / "b" / "damaged.mid").write_bytes(b"no")
    with pytest.raises(InputError, match=r"a/x\.abc, line 11: the length of 'C/0' has a division"):
        read(folder)
    with row_errors.policy("skip"), limits.override(max_tune_bars=4):
        tunes, summary = read(folder)
    assert [tokens[2] for tokens in tunes] == ["0:1", "4:1", "2:1", "5:1"]
    assert summary.left_out == {"tunes without notes": 1, "bad rows": 3}
    with limits.override(max_tune_bars=4), pytest.raises(limits.LimitError, match=r"b/x\.abc"):
        read(folder / "b" / "x.abc")


def test_summary(tmp_path):
    folder = write(tmp_path, a_x=f"Text\n\n{HEAD}C{{d}}[CE]|\n\nMore text\n", b_x=HEAD + "C|")
    _, summary = read(folder)
    assert type(summary).from_json(json.loads(json.dumps(summary.to_json()))) == summary
    assert str(summary).removeprefix(str(folder)) == (
        ": ABC (2 files); 2 rows; left out 2: lines of text between tunes; left out 1: grace "
        "notes; left out 1: notes below the highest of a chord; 3 notes and rests; styles: a (1), "
        "b (1)"
    )


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16"])
def test_titles_in_any_encoding(tmp_path, encoding):
    path = tmp_path / "a.abc"
    path.write_bytes(HEAD.replace("M:", "T:Ó Béal\nM:").replace("\n", "\r\n").encode(encoding))
    path.write_bytes(path.read_bytes() + "CD|".encode(encoding.replace("utf-16", "utf-16-le")))
    assert read(path)[0] == [["M:4/4", "K:C_major", "0:1", "2:1", "|"]]


def test_only_tunes_without_notes(tmp_path):
    with pytest.raises(InputError, match="has no tune with notes that can be read"):
        read(write(tmp_path, a_x=HEAD))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    results = doctest.testmod(importlib.import_module(f"keras_seq_recipes.music.{name}"))
    assert results.attempted and not results.failed

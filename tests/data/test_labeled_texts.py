"""Tests of labeled texts: tables, fastText files and folders of texts."""

import hypothesis
import pytest
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data import collect_summaries, limits, list_labeled_files, read_labeled_texts

UTF_16_TABLE = (
    b"\xff\xfet\x00e\x00x\x00t\x00\t\x00l\x00a\x00b\x00e\x00l\x00\n\x00s\x00c\x00h\x00\xf6\x00n\x00"
    b"\t\x00g\x00o\x00o\x00d\x00\n\x00f\x00a\x00d\x00\t\x00b\x00a\x00d\x00\n\x00"
)


def read(folder, contents, path="", **options):
    """Write files; return the texts with their labels and splits, and what is said of them."""
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with collect_summaries() as summaries:
        rows = list(read_labeled_texts(list_labeled_files(folder / path), **options))
    assert sum(s.num_rows for s in summaries if s.unit == "row") == len(rows)
    return [tuple(row) for row in rows], "\n".join(map(str, summaries))


@pytest.mark.parametrize(
    ("name", "content", "texts", "said"),
    [
        (
            "a.tsv",
            'text\tlabel\n"Fine work\tgood\nDull\tbad\n"also" fine\tgood\n',
            [('"Fine work', "good"), ("Dull", "bad"), ('"also" fine', "good")],
            "tab-separated text, UTF-8, delimiter tab, header",
        ),
        (
            "a.csv",
            'text;label\n"a; b";good\nDull;bad\n',
            [("a; b", "good"), ("Dull", "bad")],
            "delimiter semicolon",
        ),
        (
            "a.tsv",
            UTF_16_TABLE,
            [("schön", "good"), ("fad", "bad")],
            "UTF-16-LE (byte order mark), delimiter tab",
        ),
        (
            "a.txt",
            "__label__good fine work\n\n__label__bad\tdull  stuff \n",
            [("fine work", "good"), ("dull  stuff", "bad")],
            "a.txt: fastText labels, UTF-8; 2 rows",
        ),
        (
            "a.txt",
            "__label__sehr\xa0gut \u3000Kapitel\x85 1\xa0\n__label__bad x\n",
            [("\u3000Kapitel\x85 1\xa0", "sehr\xa0gut"), ("x", "bad")],
            "2 rows",
        ),
        (
            "a.json",
            '[{"text": "Fine.<br /><br >Go!", "label": 1}, {"text": "<br/>x", "label": 0}]',
            [("Fine.\n\nGo!", "1"), ("x", "0")],
            "2 rows; HTML line breaks in 2 texts became line ends",
        ),
    ],
)
def test_files(tmp_path, name, content, texts, said):
    rows, summary = read(tmp_path, {name: content}, name)
    assert rows == [(*row, None) for row in texts]
    assert said in summary


MOVIES = {
    f"aclImdb/{split}/{folder}/{n}_9.txt": f"{split} {folder} <br />{n}"
    for split in ("train", "test")
    for folder in ("pos", "neg", "unsup")
    for n in range(2)
    if folder != "unsup" or split == "train"
}


def test_folders_of_movie_reviews(tmp_path):
    others = {"aclImdb/README": "x", "aclImdb/train/urls_pos.txt": "x", "aclImdb/imdb.vocab": "x"}
    rows, said = read(tmp_path, {**MOVIES, **others}, "aclImdb")
    assert len(rows) == 8 and ("test pos\n1", "pos", "test") in rows
    assert {row[1:] for row in rows} == {
        (label, split) for label in ("pos", "neg") for split in ("train", "test")
    }
    assert said == (
        f"{tmp_path}/aclImdb: one text per file, labels neg, pos from folders, UTF-8; 8 rows; "
        "HTML line breaks in 8 texts became line ends; "
        f"{tmp_path}/aclImdb/train/unsup was left out, because its texts have no label"
    )


@pytest.mark.parametrize(
    "contents",
    [
        {"a.csv": "text,label\na,x\n<br />,y\n"},
        {"a.txt": "__label__x a\n__label__y <br/> <br>\n"},
        {"x/1.txt": "a", "y/2.txt": "<br>\n<br>"},
    ],
)
def test_a_text_of_line_breaks_is_empty(tmp_path, contents):
    path = "" if len(contents) > 1 else next(iter(contents))
    with pytest.raises(InputError, match=r"(line [23]|2\.txt): the text has only line breaks"):
        read(tmp_path, contents, path)


def test_a_folder_for_each_label(tmp_path):
    groups = {"sci.space/51121": b"caf\xe9\r\n\r\nin orbit", "alt.x/9.txt": "x"}
    hidden = {"alt.x/.DS_Store": b"\0\xff", "alt.x/Thumbs.db": b"\xff", "__MACOSX/alt.x/9.txt": "y"}
    hidden |= {"alt.x/._9.txt": b"\0\xff", ".git/x.txt": "y", "__MACOSX/z.txt": "y"}
    rows, said = read(tmp_path, {**groups, **hidden}, encoding="latin-1")
    assert rows == [("x", "alt.x", None), ("café\n\nin orbit", "sci.space", None)]
    assert "labels alt.x, sci.space from folders, ISO8859-1; 2 rows" in said


def test_files_of_splits(tmp_path):
    contents = {"train.txt": "__label__a x", "test.csv": "text,label\ny,b\n", "more/z.txt": "z"}
    rows, said = read(tmp_path, contents)
    assert rows == [("x", "a", "train"), ("y", "b", "test")] and said.count("1 row") == 2


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            {"a.txt": "__label__a x\ny\n"},
            "a.txt, line 2: expected __label__NAME and a text, got 'y'",
        ),
        ({"a.txt": "__label__a x\n__label__ y\n"}, "line 2: expected __label__NAME and a text"),
        ({"a.txt": "__label__a __label__b x\n"}, "line 1: the text has more than one label"),
        ({"a.txt": "__label__a \n"}, "line 1: the text is empty"),
        ({"x/a.txt": " \n", "y/a.txt": "b"}, "x/a.txt contains no text"),
        ({"x/a.txt": b"\xff", "y/a.txt": "b"}, "x/a.txt, line 1: byte 1 is not utf-8"),
        ({"x/a.txt": "a"}, "must have a sub-folder for each of at least two classes"),
        ({"other.txt": "a"}, r"has no file named train\.\*"),
    ],
)
def test_what_is_refused(tmp_path, contents, message):
    path = "a.txt" if "a.txt" in contents else ""
    with pytest.raises(InputError, match=message):
        read(tmp_path, contents, path)


@pytest.mark.parametrize("name", ["a.txt", "x/a.txt"])
def test_long_texts(tmp_path, name):
    contents = {name: "__label__a " + "x" * 200_000, "y/b.txt": "y"}
    path = "a.txt" if name == "a.txt" else ""
    assert max(len(row[0]) for row in read(tmp_path, contents, path)[0]) > 199_999
    with limits.override(max_cell_characters=199_999), pytest.raises(limits.LimitError):
        read(tmp_path, contents, path)


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\t \0"), min_size=1
)
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
    .map(str.strip)
    .filter(lambda text: text and "<" not in text and not text.startswith("__label__"))
)


@hypothesis.given(rows=st.lists(st.tuples(TEXTS, NAMES), min_size=1))
def test_written_fasttext_files_are_read(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("texts")
    content = "".join(f"__label__{label} {text}\n" for text, label in rows)
    found, _ = read(folder, {"a.txt": content}, "a.txt")
    assert found == [(*row, None) for row in rows]

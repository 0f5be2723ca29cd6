"""Tests of pronunciation lexicons."""

import hypothesis
import pytest
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq._internal.unicode import split_at_blanks
from keras_seq.data import collect_summaries, read_lexicon

CMU = ";;; a comment\nREAD  R IY1 D\nREAD(2)  R EH1 D\nread(3) R EH1 D # place, another format\n"


def read(folder, content, name="a.dict", **options):
    """Write a file; return the pronunciations of its words, and what is said of it."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    words = {}
    with collect_summaries() as summaries:
        for _, word, pronunciation in read_lexicon(folder / name, **options):
            words.setdefault(word, {})[pronunciation] = None
    [summary] = summaries
    return {word: [*found] for word, found in words.items()}, str(summary)


def test_both_formats_of_cmudict(tmp_path):
    words, said = read(tmp_path, CMU)
    assert words == {"read": ["R IY1 D", "R EH1 D"]}
    assert said == (
        f"{tmp_path}/a.dict: lexicon in the format of CMUdict, UTF-8; 3 rows; 1 word; 2 entries "
        "such as read(2)"
    )
    words, _ = read(tmp_path, "#SHARP-SIGN  SH AA1 R P\n(PAREN  P ER0\n(2)  T UW1\nC#  S IY1\n")
    assert list(words) == ["#sharp-sign", "(paren", "(2)", "c#"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "read\tR IY D\nread\tR EH D\nRed\tR  EH D\n",
            {"read": ["R IY D", "R EH D"], "red": ["R EH D"]},
        ),
        (";;; x\nword\tphonemes\nread(2)\tR EH D\n", {"read": ["R EH D"]}),
        ("a\t0.99\t0.1\t1.0\tAH\nb\t1\nc\t-1.5e-3\tK\n", {"a": ["AH"], "b": ["1"], "c": ["K"]}),
        ("a\t/ˈeɪ/, /ə/\nb\t/b i/\nc\tk/\n", {"a": ["ˈeɪ", "ə"], "b": ["b i"], "c": ["k/"]}),
        ("ice cream\tAY S # K\n", {"ice cream": ["AY S # K"]}),
        ("ice cream\tAY S\tnote\n", {"ice cream": ["AY S"]}),
    ],
)
def test_between_tabs(tmp_path, content, words):
    found, said = read(tmp_path, content)
    assert found == words
    assert f"delimiter tab, {'header' if 'phonemes' in content else 'no header'}; " in said


@pytest.mark.parametrize("delimiter", ",;|")
def test_comma_separated(tmp_path, delimiter):
    content = 'word,ipa\na,"/ə/, /eɪ/"\nb,b i\nc(2),"k"\n'
    if delimiter != ",":
        content = content.replace(",", delimiter).replace(f"/{delimiter} /", "/, /")
    words, said = read(tmp_path, content, "a.csv")
    assert words == {"a": ["ə", "eɪ"], "b": ["b i"], "c": ["k"]} and ", header; 4 rows; 3" in said
    assert read(tmp_path, content, "a.txt", delimiter=delimiter)[0] == words
    swapped = content.replace("word,ipa", "IPA,Word")
    if delimiter == ",":
        assert list(read(tmp_path, swapped, "a.csv")[0]) == ["/ə/, /eɪ/", "b i", "k"]


def test_utf_16(tmp_path):
    assert read(tmp_path, "a\tə\r\n".encode("utf-16"))[0] == {"a": ["ə"]}


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            "a AH\nb\n",
            "a.dict",
            "a.dict, line 2: 'b' has no blank; a line needs a word, a blank and",
        ),
        ("a # AH\n", "a.dict", "line 1: 'a' has no blank"),
        ("a\tAH\nb B\n", "a.tsv", "line 2: 'b B' has no tab; a line needs a word, a tab and"),
        ("a\tAH\n\tB\n", "a.tsv", "line 2: the word is missing"),
        ("a,AH\nb,\n", "a.csv", "line 2: the phonemes are missing"),
        ("a,AH\nb\n", "a.csv", "line 2: 'b' has no comma; a line needs a word, a comma"),
        (";;;\n\n", "a.dict", "a.dict contains no words"),
        ("word,ipa\n", "a.csv", "a.csv contains no words"),
        ("", "a.csv", "a.csv contains no words"),
    ],
)
def test_what_is_refused(tmp_path, content, name, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, content, name)


TEXTS = (
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=";\ufeff/"), min_size=1
    )
    .map(lambda text: " ".join(split_at_blanks(text)))
    .filter(lambda text: text.strip() and not text.endswith(")"))
)


def test_only_blanks_and_tabs_separate_words_from_phonemes(tmp_path):
    content = "à\xa0côté  A K O  # aside\nx\x85\u3000y X\u2028 Y\n"
    (tmp_path / "a.dict").write_text(content, "utf-8", newline="\n")
    assert [*read_lexicon(tmp_path / "a.dict")] == [
        (1, "à\xa0côté", "A K O"),
        (2, "x\x85\u3000y", "X\u2028 Y"),
    ]


@hypothesis.given(entries=st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_written_lexicons_are_read(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("lexicon")
    (folder / "a.tsv").write_text(
        "".join(f"{word}\t{sounds}\n" for word, sounds in entries), "utf-8", newline="\n"
    )
    found = [(word, sounds) for _, word, sounds in read_lexicon(folder / "a.tsv")]
    assert found == [(word.lower(), sounds) for word, sounds in entries]

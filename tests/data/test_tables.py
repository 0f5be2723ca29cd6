"""Tests of tables with invalid or too large content."""

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.data import limits, read_spans, read_table
from keras_seq.text.tokenizers import TOKENIZERS


def table(folder, content, name="a.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return list(read_table(path, {"text": "text", "label": "label"}))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_length_of_a_cell(tmp_path, name):
    cell = "x" * 200_000
    content = f'text,label\n"{cell}",good\n'
    if name == "a.jsonl":
        content = f'{{"text": "{cell}", "label": "good"}}\n'
    assert table(tmp_path, content, name)[0][1:] == (cell, "good")
    too_long = pytest.raises(limits.LimitError, match="the length of the text is 200000, above")
    with limits.override(max_cell_characters=199_999), too_long:
        table(tmp_path, content, name)


def test_an_unclosed_quote(tmp_path):
    content = 'text,label\n"' + "x,good\n" * 200_000
    with pytest.raises(InputError, match=r"a\.csv, after line \d+ is damaged or is not a table: "):
        table(tmp_path, content)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": %s}' % ("9" * 5_000), "the length of a number in digits is 5000, above"),
        ('{"text": ' + "[" * 100_000, "line 2: JSON is nested too deeply to parse"),
        ('{"text": ' + "[" * 65 + "]" * 65 + "}", "line 2: the depth of JSON is 66, above"),
        ('{"text": "a", "text": "b"}', "line 2: a JSON object has the duplicate name 'text'"),
        ('{"text": "a"', "line 2: the line is not JSON: Expecting ',' delimiter at character 13"),
        ("[1]", "line 2: the line is not a JSON object"),
    ],
    ids=["digits", "very deep", "deep", "twice", "cut", "list"],
)
def test_errors_in_json_lines(tmp_path, line, message):
    content = '{"text": "a", "label": "b"}\n' + line + "\n"
    with pytest.raises(InputError, match=message):
        table(tmp_path, content, "a.jsonl")
    (tmp_path / "b.jsonl").write_text('{"text": "a", "spans": []}\n' + line + "\n")
    with pytest.raises(InputError, match=message):
        read_spans(tmp_path / "b.jsonl", TOKENIZERS["word"])


def test_half_of_a_surrogate_pair(tmp_path):
    half = r"line 1: character 2 is half a surrogate pair \(U\+D800\)"
    with pytest.raises(InputError, match=half):
        table(tmp_path, r'{"text": "a\ud800", "label": "b"}', "a.jsonl")
    # A whole surrogate pair is one character.
    assert table(tmp_path, r'{"text": "\ud83d\ude00", "label": "b"}', "a.jsonl") == [(1, "😀", "b")]
    for text, label in ((r"a\ud800", "X"), ("Ada", r"X\ud800")):
        span = f'{{"start": 0, "end": 3, "label": "{label}"}}'
        (tmp_path / "b.jsonl").write_text(f'{{"text": "{text}", "spans": [{span}]}}')
        with pytest.raises(InputError, match=half):
            read_spans(tmp_path / "b.jsonl", TOKENIZERS["word"])


def test_json_of_the_maximum_depth(tmp_path):
    deep = '{"text": "a[[[[", "label": "b", "more": ' + "[" * 63 + "]" * 63 + "}\n"
    assert table(tmp_path, deep, "a.jsonl") == [(1, "a[[[[", "b")]


def test_a_name_twice_in_the_header(tmp_path):
    with pytest.raises(InputError, match=r"a\.csv: the header has the name 'text' twice"):
        table(tmp_path, "text,label,text\na,b,c\n")
    # Columns that are not read may repeat a name.
    assert table(tmp_path, "text,label,x,x\na,b,c,d\n") == [(2, "a", "b")]


@pytest.mark.parametrize("content", ["", "text,label\n"], ids=["empty", "header only"])
def test_a_table_without_rows(tmp_path, content):
    with pytest.raises(InputError, match=r"a\.csv contains no rows"):
        table(tmp_path, content)


@pytest.mark.parametrize("number", ["1e999", "null", '"x"', "[]"])
def test_spans_without_numbers(tmp_path, number):
    path = tmp_path / "a.jsonl"
    span = f'{{"start": {number}, "end": 3, "label": "X"}}'
    path.write_text(f'{{"text": "Ada", "spans": [{span}]}}')
    with pytest.raises(InputError, match="line 1: expected a span with a label and whole numbers"):
        read_spans(path, TOKENIZERS["word"])

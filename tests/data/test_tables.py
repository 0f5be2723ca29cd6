"""Tests of tables with invalid or too large content."""

import csv
import gzip
import io
import json
import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data import collect_summaries, limits, read_spans, read_table
from keras_seq.data.delimited import parse_delimiter, read_delimited
from keras_seq.text.tokenizers import TOKENIZERS

COLUMNS = {"text": "text", "label": "label"}


def table(folder, content, name="a.csv", columns=COLUMNS, **options):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return list(read_table(path, columns, **options))


def summary_of(folder, *args, **options):
    """Return the rows of a table without their numbers, and what is said of it."""
    with collect_summaries() as summaries:
        rows = [row for _, *row in table(folder, *args, **options)]
    [summary] = summaries
    assert summary.num_rows == len(rows)
    return rows, str(summary).removeprefix(f"{folder}/")


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
    with pytest.raises(InputError, match=r"a\.csv, line 2: the row is not valid CSV \("):
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


@pytest.mark.parametrize("number", ["0.5", "null", '"x"', "[]"])
def test_spans_without_numbers(tmp_path, number):
    path = tmp_path / "a.jsonl"
    span = f'{{"start": {number}, "end": 3, "label": "X"}}'
    path.write_text(f'{{"text": "Ada", "spans": [{span}]}}')
    with pytest.raises(InputError, match="line 1: expected a span with a label and whole numbers"):
        read_spans(path, TOKENIZERS["word"])


def test_unpaired_quotes_between_tabs(tmp_path):
    content = 'text\tlabel\n"Fine work\tgood\nDull\tbad\n"also" fine\tgood\n'
    rows, said = summary_of(tmp_path, content, "a.tsv")
    assert rows == [['"Fine work', "good"], ["Dull", "bad"], ['"also" fine', "good"]]
    assert said == (
        "a.tsv: tab-separated text, UTF-8, delimiter tab, header, text = 'text', label = 'label'; "
        "3 rows"
    )


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('a\tb\n"x"\t"y ""z"""\n', [["x", 'y "z"']]),
        ('a\tb\n"\t""\n', [['"', ""]]),
        ('a\tb\n"""\t5" pipe\n', [['"""', '5" pipe']]),
        ('a\tb\n"one\n\ntwo"\t"three\nfour"\nx\ty', [["one\n\ntwo", "three\nfour"], ["x", "y"]]),
        ('a\tb\nx\t"open\ny\t"z\n', [["x", '"open'], ["y", '"z']]),
        ('a\tb\nx\t"open\ny\tz"\n', [["x", '"open'], ["y", 'z"']]),
        ('a\n"open\nx"\n', [['"open'], ['x"']]),
        ('a\tb\nx\t"one\n""two\n"\n', [["x", 'one\n"two\n']]),
    ],
)
def test_quotes_between_tabs(content, rows):
    header, *found = [cells for _, cells in read_delimited(lines_of(content), "\t", "a.tsv")]
    assert header == header and found == rows


def lines_of(content):
    return list(enumerate(content.removesuffix("\n").split("\n"), 1))


def test_numbers_of_rows_are_those_of_the_last_lines():
    for delimiter in "\t,":
        content = 'a\tb\n"x\ny"\tz\n\nv\tw\n'.replace("\t", delimiter)
        rows = read_delimited(lines_of(content), delimiter, "a")
        assert [number for number, _ in rows] == [1, 3, 5]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
@pytest.mark.parametrize(
    ("delimiter", "said"), zip(",;\t|", ["comma", "semicolon", "tab", "vertical bar"])
)
def test_delimiters_are_detected(tmp_path, name, delimiter, said):
    rows = [["text", "label"], ["a; b, c | d", "good"], ["Dull", "bad"]]
    quote = "{}" if delimiter == "\t" else '"{}"'
    content = "".join(delimiter.join(map(quote.format, row)) + "\r\n" for row in rows).encode()
    content = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
    found, summary = summary_of(tmp_path, content, name)
    assert found == rows[1:]
    assert f", UTF-8, delimiter {said}, header, " in summary


def test_semicolons(tmp_path):
    found, summary = summary_of(tmp_path, 'text;label\n"a; b";good\nDull;bad\n')
    assert found == [["a; b", "good"], ["Dull", "bad"]]
    assert "delimiter semicolon" in summary


def test_delimiters_that_are_stated(tmp_path):
    assert table(tmp_path, "sep=^\ntext^label\na^b\n") == [(3, "a", "b")]
    assert table(tmp_path, "text:label\na:b\n", delimiter=":") == [(2, "a", "b")]
    assert table(tmp_path, "text\tlabel\na\tb\n", delimiter="tab") == [(2, "a", "b")]
    with pytest.raises(InputError, match="no column 'text'; there are text,label"):
        table(tmp_path, "text,label\na,b\n", delimiter="semicolon")
    assert [*map(parse_delimiter, ("\\t", "Semicolon", "^"))] == ["\t", ";", "^"]
    for wrong in ("", "ab", '"', "\n"):
        with pytest.raises(InputError, match="--delimiter must be one character"):
            parse_delimiter(wrong)


def test_columns_by_number(tmp_path):
    columns = {"text": "3", "label": "1"}
    rows, said = summary_of(tmp_path, '"3","Title","Text, long"\n"4","More","x"\n', columns=columns)
    assert rows == [["Text, long", "3"], ["x", "4"]] and ", no header, text = '3'" in said
    # Columns that are called so are found by name.
    assert table(tmp_path, "1,3\na,b\n", columns=columns) == [(2, "b", "a")]
    with pytest.raises(InputError, match="line 1: there is no column '3'; there are 1, 2"):
        table(tmp_path, "a,b\n", columns=columns)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            "text,label\nHello, world,good\n",
            "a.csv",
            "line 2: the row has 3 cells, but the header has",
        ),
        ('text\tlabel\n"a\tb"\tgood\n', "a.tsv", "line 2: the row has 3 cells, .* delimiter 'tab'"),
        (
            "text,label\na\n",
            "a.csv",
            "line 2: the row has 1 cell, so that the column 'label' is miss",
        ),
        ('text,label\n"also" fine,good\n', "a.csv", "line 2: the row is not valid CSV"),
        ('text,label\na,b\n\n"open,good\n', "a.csv", "line 4: the row is not valid CSV"),
        ('{"text": ["a"], "label": "x"}', "a.jsonl", "line 1: the text is a list; a text or a num"),
        ('{"text": "a", "label": null}', "a.jsonl", "line 1: the label is empty"),
        ('"te\nxt",label\na,b\n', "a.csv", "line 3: there is no column 'text'; there are te xt"),
        ("{}", "a.jsonl", "line 1: there is no column 'text'"),
        ('[{"text": "a", "label": 1}, 2]', "a.json", "element 2: it is not a JSON object"),
        (
            '[{"text": "a", "label": "b"},\n{"label": }]',
            "a.json",
            "a.json, element 2: line 2 is not JSON: .* at character 11",
        ),
        ("[]", "a.json", "a.json contains no rows"),
    ],
)
def test_rows_that_do_not_fit(tmp_path, content, name, message):
    with pytest.raises(InputError, match=message):
        table(tmp_path, content, name)


def test_rows_without_content(tmp_path):
    content = "text,label,x\n,,\na,b,c,,\n , ,\n\n"
    assert summary_of(tmp_path, content)[1].endswith("1 row; left out 2: rows without content")


def test_a_json_array(tmp_path):
    rows = [{"text": "a\nb", "label": 1}, {"text": "[c]", "label": "x"}]
    for indent in (None, 2):
        content = json.dumps(rows, indent=indent)
        assert table(tmp_path, content, "a.json") == [(1, "a\nb", "1"), (2, "[c]", "x")]
    assert (
        "JSON array, UTF-16-LE (byte order mark)"
        in (summary_of(tmp_path, b"\xff\xfe" + content.encode("utf-16-le"), "a.json")[1])
    )
    too_large = pytest.raises(limits.LimitError, match="the size of the JSON array is")
    with limits.override(max_document_bytes=30), too_large:
        table(tmp_path, content, "a.json")


def test_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    features = {"label": {"_type": "ClassLabel", "names": ["bad", "good"]}, "text": {"dtype": "x"}}
    rows = pyarrow.table({"text": ["a", "ü\n"] * 2_000, "label": [1, 0] * 2_000, "id": [7] * 4_000})
    for metadata, labels in ({}, "10"), ({"info": {"features": features}}, ["good", "bad"]):
        named = rows.replace_schema_metadata({"huggingface": json.dumps(metadata)})
        parquet.write_table(named, tmp_path / "a.parquet")
        with collect_summaries() as summaries:
            found = list(read_table(tmp_path / "a.parquet", COLUMNS))
        assert found[:2] == [(1, "a", labels[0]), (2, "ü", labels[1])] and len(found) == 4_000
        assert ": Parquet, text = 'text', label = 'label'; 4,000 rows" in str(summaries[0])
    with pytest.raises(
        InputError, match="row 1: there is no column 'x'; there are text, label, id"
    ):
        list(read_table(tmp_path / "a.parquet", {"text": "x"}))
    content = (tmp_path / "a.parquet").read_bytes()
    for damaged in (content[:-9], content[:4] + bytes(60) + content[64:]):
        with pytest.raises(InputError, match=r"a\.parquet is damaged or is not a Parquet file"):
            table(tmp_path, damaged, "a.parquet")


def test_parquet_without_its_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"a Parquet file, which needs pyarrow: run pip install"):
        table(tmp_path, b"PAR1", "a.parquet")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


@hypothesis.given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1), delimiter=st.sampled_from(",;|\t")
)
def test_written_tables_are_read(rows, delimiter):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(
        rows
    )
    # A tab within quotes ends a cell: tab-separated text has no way to write it.
    hypothesis.assume(delimiter != "\t" or not any("\t" in cell for row in rows for cell in row))
    # A byte order mark would be taken off.
    found = read_delimited(lines_of(file.getvalue()), delimiter, "a")
    assert [tuple(cells) for _, cells in found] == rows


@hypothesis.given(
    rows=st.lists(
        st.tuples(
            *[st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]))] * 3
        ).filter(lambda row: "".join(row).strip()),
        min_size=1,
    ),
)
def test_tab_separated_text_as_it_is(rows):
    """Without quotes at the ends of cells, everything between tabs is a cell."""
    rows = [[cell.strip('"') for cell in row] for row in rows]
    hypothesis.assume(all("".join(row).strip() for row in rows))
    content = "\n".join("\t".join(row) for row in rows)
    assert [cells for _, cells in read_delimited(lines_of(content), "\t", "a")] == rows

"""Tests of the treatment of bad rows: `--errors strict` and `skip`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data import collect_summaries, read_table, row_errors
from keras_seq.data.row_errors import BadRows, policy
from keras_seq.data.summaries import ReadSummary

COLUMNS = {"text": "text", "label": "label"}


def read_rows(lines, name, folder):
    """Return the rows of a table without their numbers, and its summary."""
    path = folder / name
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    with collect_summaries() as summaries:
        rows = [row for _, *row in read_table(path, COLUMNS)]
    return rows, summaries[0]


FORMATS = {
    "a.csv": (
        "text,label",
        "w{0},good",
        ["w,", "a,b,c", 'a"b,"c"d', '"open,good', "one", '"a"b,c'],
    ),
    "a.tsv": ("text\tlabel", "w{0}\tgood", ["w\t", "a\tb\tc", "\tx", "one"]),
    "a.jsonl": (
        None,
        '{{"text": "w{0}", "label": "good"}}',
        ["{", "3", '{"text": "x"}', '{"text": "", "label": "x"}', '{"text": [1], "label": 1}'],
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_skip_reads_exactly_the_good_rows(tmp_path, name):
    header, good, bad_lines = FORMATS[name]

    @given(st.lists(st.sampled_from([None, None, *bad_lines]), min_size=1, max_size=12))
    def check(lines):
        lines = [good.format(i) if line is None else line for i, line in enumerate(lines)]
        expected = [[f"w{i}", "good"] for i, line in enumerate(lines) if line == good.format(i)]
        num_bad = len(lines) - len(expected)
        content = [header] * (header is not None) + lines
        if num_bad:
            number = next(i for i, line in enumerate(content, 1) if line in bad_lines)
            with pytest.raises(InputError, match=rf"{name}, line {number}: "):
                read_rows(content, name, tmp_path)
        with policy("skip"):
            if num_bad > len(expected):
                with pytest.raises(InputError, match=f"{num_bad} of {len(lines)} rows are bad"):
                    read_rows(content, name, tmp_path)
                return
            rows, summary = read_rows(content, name, tmp_path)
        assert rows == expected and summary.num_rows == len(expected)
        assert summary.left_out.get(row_errors.REASON, 0) == num_bad
        assert len(summary.notes) == min(num_bad, row_errors.MAX_SHOWN)

    check()


def test_a_missing_column_stops_both(tmp_path):
    with policy("skip"), pytest.raises(InputError, match=r"line 2: there is no column 'label'"):
        read_rows(["text,x", "a,b", "c,d"], "a.csv", tmp_path)


def test_a_file_that_cannot_be_decoded_stops_both(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,label\na,b\n\xff,c\nd,e\nf,g\n")
    with policy("skip"), pytest.raises(InputError, match=r"line 3: byte 1 is not utf-8"):
        list(read_table(tmp_path / "a.csv", COLUMNS))


def test_errors_of_a_function_are_those_of_a_row(tmp_path):
    def parse(where, text, label):
        if text == "bad":
            raise InputError(f"{where}: the text is bad.")
        return text, int(label)

    path = tmp_path / "a.csv"
    path.write_text("text,label\na,1\nbad,2\nb,3\n")
    with pytest.raises(InputError, match=r"a\.csv, line 3: the text is bad\."):
        list(read_table(path, COLUMNS, parse=parse))
    with policy("skip"):
        assert list(read_table(path, COLUMNS, parse=parse)) == [(2, "a", 1), (4, "b", 3)]


def test_a_warning_shows_three(tmp_path, capsys):
    lines = [json.dumps({"text": "" if i < 5 else "a", "label": "b"}) for i in range(20)]
    with policy("skip"):
        read_rows(lines, "a.jsonl", tmp_path)
    error = capsys.readouterr().err
    assert f"warning: left out 5 of 20 rows of {tmp_path / 'a.jsonl'}: " in error
    assert error.count("the text is empty.") == 3 and "line 3: the" in error


def test_an_unclosed_quote_costs_one_row(tmp_path):
    content = ["text,label", "a,b", '"c,d', *["e,f"] * 1_000]
    with policy("skip"):
        rows, summary = read_rows(content, "a.csv", tmp_path)
    assert rows == [["a", "b"], *[["e", "f"]] * 1_000]
    assert "line 3: the row is not valid CSV" in str(summary)


def test_other_errors_are_not_suppressed():
    with pytest.raises(KeyError), BadRows("skip"):
        raise KeyError
    with pytest.raises(InputError, match="no treatment of errors 'skp': did you mean 'skip'"):
        policy("skp").__enter__()
    assert BadRows("skip").finish(ReadSummary("a", "b", 0)) == ReadSummary("a", "b", 0)

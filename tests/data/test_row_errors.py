"""Tests of the treatment of bad rows: `--errors strict` and `skip`."""

import json

import hypothesis
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from keras_seq._internal.errors import InputError
from keras_seq.data import (
    ParallelOptions,
    TaggingOptions,
    collect_summaries,
    limits,
    list_labeled_files,
    open_tagged,
    read_labeled_texts,
    read_lexicon,
    read_parallel_text,
    read_table,
    row_errors,
)
from keras_seq.data.row_errors import BadRows, policy
from keras_seq.data.summaries import ReadSummary
from keras_seq.text.tag_schemes import Span

COLUMNS = {"text": "text", "label": "label"}


def read_rows(lines, name, folder):
    """Return the rows of a table without their numbers, and its summary."""
    path = folder / name
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    with collect_summaries() as summaries:
        rows = [row for _, *row in read_table(path, COLUMNS)]
    return rows, summaries[0]


def table(path):
    return [tuple(row) for _, *row in read_table(path, COLUMNS)]


def pairs(path):
    return list(read_parallel_text([path], ParallelOptions("en", "de")))


def texts(path):
    return [row[:2] for row in read_labeled_texts(list_labeled_files(path))]


def lexicon(path):
    return [entry[1:] for entry in read_lexicon(path)]


BAD_CELLS = ["w,", "a,b,c", 'a"b,"c"d', '"open,good', "one", '"a"b,c']
BAD_PAIRS = [line for line in BAD_CELLS if line != "w,"]
BAD_OBJECTS = ["{", "3", '{"text": "x"}', '{"text": "", "label": "x"}', '{"text": [1], "label": 1}']
CASES = {
    "a.csv": (table, "text,label", "w{0},good", BAD_CELLS),
    "a.tsv": (table, "text\tlabel", "w{0}\tgood", ["w\t", "a\tb\tc", "\tx", "one"]),
    "a.jsonl": (table, None, '{{"text": "w{0}", "label": "good"}}', BAD_OBJECTS),
    "pairs.csv": (pairs, "en,de", "w{0},good", BAD_PAIRS),
    "pairs.tsv": (pairs, None, "w{0}\tgood", ["one", "two words"]),
    "pairs.jsonl": (pairs, None, '{{"en": "w{0}", "de": "good"}}', ["{", "3", '{"en": "x"}']),
    "fasttext.txt": (texts, "__label__good first", "__label__good w{0}", ["x", "__label__bad"]),
    "lexicon.csv": (lexicon, "word,ipa", "w{0},good", ["w,", ",x", 'a"b,"c"d', "one"]),
    "lexicon.tsv": (lexicon, None, "w{0}\tgood", ["one", "two\t"]),
    "lexicon.dict": (lexicon, "first good", "w{0} good", ["one"]),
}


@pytest.mark.parametrize("name", CASES)
def test_skip_reads_exactly_the_good_rows(tmp_path, name):
    read, first, template, bad_lines = CASES[name]
    path = tmp_path / name
    has_row_first = first is not None and "first" in first

    @hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.filter_too_much])
    @given(st.lists(st.sampled_from([None, None, *bad_lines]), max_size=12))
    def check(bad):
        good_lines = [template.format(i) for i in range(len(bad))]
        lines = [line or good for line, good in zip(bad, good_lines)]
        content = ([] if first is None else [first]) + lines
        expected = [(f"w{i}", "good") for i, line in enumerate(bad) if line is None]
        if has_row_first:
            expected.insert(0, ("first", "good"))
        num_bad = len(bad) - bad.count(None)
        hypothesis.assume(expected and num_bad <= len(expected))
        path.write_text("".join(line + "\n" for line in content), "utf-8")
        with policy("skip"), collect_summaries() as summaries:
            assert read(path) == expected
        [summary] = summaries
        assert summary.num_rows == len(expected)
        assert summary.left_out.get(row_errors.LEFT_OUT_KEY, 0) == num_bad
        shown = [note for note in summary.notes if note.startswith("bad: ")]
        assert len(shown) == min(num_bad, row_errors.MAX_MESSAGES)
        if num_bad:
            number = 1 + next(i for i, line in enumerate(content) if line in bad_lines)
            with pytest.raises(InputError, match=f"{name}, line {number}: "):
                read(path)

    check()


@pytest.mark.parametrize("name", CASES)
def test_more_bad_rows_than_good_ones_stop_both(tmp_path, name):
    read, first, template, [bad, *_] = CASES[name]
    lines = [first] * (first is not None) + [bad, template.format(0), bad, bad]
    (tmp_path / name).write_text("\n".join(lines), "utf-8")
    message = rf"{name}: 3 of [45] rows are bad, more than half, .*: .*{name}, line [12]: "
    with policy("skip"), pytest.raises(InputError, match=message):
        read(tmp_path / name)


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
        _, summary = read_rows(lines, "a.jsonl", tmp_path)
    row_errors.warn([summary, ReadSummary("b", "c", 1)])
    error = capsys.readouterr().err
    assert f"warning: left out 5 bad rows of {tmp_path / 'a.jsonl'}, such as: " in error
    assert error.count("the text is empty.") == 3 and "line 3: the" in error
    assert error.count("\n") == 1


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


def test_a_folder_with_a_bad_file(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(3):
            (tmp_path / label / f"{i}.txt").write_text(f"{label}{i}")
    (tmp_path / "b" / "1.txt").write_bytes(b"\xff")
    (tmp_path / "b" / "2.txt").write_bytes(b" \n")
    with pytest.raises(InputError, match=r"1\.txt, line 1: byte 1 is not utf-8"):
        texts(tmp_path)
    with policy("skip"), collect_summaries() as summaries:
        assert texts(tmp_path) == [("a0", "a"), ("a1", "a"), ("a2", "a"), ("b0", "b")]
    assert summaries[0].left_out == {"bad rows": 2} and summaries[0].num_rows == 4


def test_a_dataset_without_bad_rows_is_not_read_again_under_strict(tmp_path):
    keys = {row_errors.cache_key()}
    for treatment in ("strict", "skip"):
        with policy(treatment):
            keys.add(row_errors.cache_key())
    with policy("skip"), limits.override(max_depth=3):
        keys.add(row_errors.cache_key())
    assert "" in keys and len(keys) == 3


def sentences(path):
    [file] = open_tagged([path], TaggingOptions())
    return [(tokens[0], *tags) for tokens, tags, _ in file]


KAGGLE = "Sentence #,Word,Tag"
TAGGED_CASES = {
    "a.conll": ("w{0} B-X\nis O\n\n", ["a\n\n", "b B-X\nis\n\n", "w O\nb I-X Q\nx\n\n"]),
    "a.jsonl": (
        '{{"tokens": ["w{0}", "is"], "ner_tags": ["B-X", "O"]}}\n',
        ["{\n", '{"tokens": ["a"], "ner_tags": []}\n', '{"tokens": "a", "ner_tags": ["O"]}\n'],
    ),
    "b.jsonl": (
        '{{"text": "w{0} is", "label": [[0, 2, "X"]]}}\n',
        ['{"text": "abc", "label": [[0, 2, "X"]]}\n', '{"text": "a", "label": [[0, 1]]}\n'],
    ),
    "a.csv": (
        "{0},w{0},B-X\n,is,O\n",
        ["a,,O\n,x,O\n", "b,x,\n", "c,x,O\nc,,\nc,,O\nc,x,O\n", "d,b,B-X\n,,\n,,O\n"],
    ),
}


@pytest.mark.parametrize("name", TAGGED_CASES)
def test_skip_leaves_out_sentences(tmp_path, name):
    template, bad_sentences = TAGGED_CASES[name]
    path = tmp_path / name

    @given(st.lists(st.sampled_from([None, None, *bad_sentences]), min_size=1, max_size=7))
    def check(bad):
        # The first sentence is good, because the columns are detected in it.
        good = [template.format(i) for i in range(len(bad) + 1)]
        parts = good[:1] + [part or row for part, row in zip(bad, good[1:])]
        num_bad = len(bad) - bad.count(None)
        hypothesis.assume(num_bad < len(parts) - num_bad)
        is_csv = name == "a.csv"
        hypothesis.assume(not is_csv or len({*bad, None}) - 1 == num_bad)  # Names are not repeated.
        path.write_text((KAGGLE + "\n") * is_csv + "".join(parts), "utf-8")
        expected = [
            (f"w{i}", Span("X", 0, 1)) for i, part in enumerate(parts) if part not in bad_sentences
        ]
        with policy("skip"), collect_summaries() as summaries:
            assert sentences(path) == expected
        assert summaries[0].num_rows == len(expected)
        assert summaries[0].left_out.get(row_errors.LEFT_OUT_KEY, 0) == num_bad
        if num_bad:
            with pytest.raises(InputError, match=rf"{name}, (sentence at )?line \d+: "):
                sentences(path)

    check()


def test_a_row_of_a_table_whose_sentence_is_unknown(tmp_path):
    rows = ["1,a,O", "2,b,O", "3,c,O,d", "4,e,O", "5,f,O", "5,g,O", "6,h,O"]
    (tmp_path / "a.csv").write_text("\n".join([KAGGLE, *rows]))
    with policy("skip"), collect_summaries() as summaries:
        assert [tokens for tokens, *_ in sentences(tmp_path / "a.csv")] == ["a", "f", "h"]
    assert summaries[-1].left_out == {"bad rows": 1}


def test_tags_that_do_not_fit_are_left_out(tmp_path):
    (tmp_path / "a.conll").write_text("a B-X\n\nb B-X\n\nb I-X\nc O\n\nd B-Y\ne I-Y\n")
    options = TaggingOptions(scheme="IOB2")
    with policy("skip"):
        [file] = open_tagged([tmp_path / "a.conll"], options)
        assert [tokens for tokens, *_ in file] == [["a"], ["b"], ["d", "e"]]
    assert "sentence at line 5: " in file.summary.notes[-1]


@given(st.lists(st.sampled_from(["good", "good", "", None, ["list"], 7]), min_size=1, max_size=9))
def test_rows_of_parquet_and_arrays(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("rows")
    rows = [{"text": f"w{i}", "label": value} for i, value in enumerate(values)]
    expected = [(f"w{i}", str(v)) for i, v in enumerate(values) if v == "good" or v == 7]
    num_bad = len(rows) - len(expected)
    hypothesis.assume(num_bad <= len(expected))
    (folder / "a.json").write_text(json.dumps([*rows, *["no object"] * (num_bad < len(expected))]))
    texts_only = [row for row in rows if not isinstance(row["label"], (list, int))]
    table_ = pyarrow.table({key: [row[key] for row in texts_only] for key in ("text", "label")})
    parquet.write_table(table_, folder / "a.parquet")
    with policy("skip"), collect_summaries() as summaries:
        assert table(folder / "a.json") == expected
    num_bad += num_bad < len(expected)
    assert summaries[0].left_out.get("bad rows", 0) == num_bad
    expected = [row for row in expected if row[1] == "good"]
    hypothesis.assume(2 * len(expected) >= len(texts_only) > 0)
    with policy("skip"):
        assert table(folder / "a.parquet") == expected
    if len(expected) < len(texts_only):
        with pytest.raises(InputError, match=r"a\.parquet, row \d: the label is empty"):
            table(folder / "a.parquet")

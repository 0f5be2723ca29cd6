"""Tests of the formats of tagged sentences, and of what is detected in them."""

import doctest
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq import data
from keras_seq._internal.errors import InputError
from keras_seq.data import conll_columns, files, json_lines, tagging
from keras_seq.text.tag_schemes import SCHEMES, Span, spans_to_tags


def read(folder, content, name="a.conll", **options):
    """Return the sentences of a file, and its summary."""
    [file] = _open(folder, content, name, **options)
    return [(tokens, spans) for tokens, spans, _ in file], file.summary


def _open(folder, content, name, **options):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return data.open_tagged([folder / name], data.TaggingOptions(**options))


def test_the_scheme_is_common_to_all_files(tmp_path):
    (tmp_path / "train.conll").write_text("Ann PER\nis O\n")
    (tmp_path / "test.conll").write_text("New LOC\nYork LOC\n")
    files = data.open_tagged([tmp_path / "train.conll", tmp_path / "test.conll"])
    assert [file.scheme for file in files] == ["bare", "bare"]
    assert list(files[1]) == [(["New", "York"], [Span("LOC", 0, 2)], "")]
    with pytest.raises(InputError, match=r"test\.conll, line 1: 'LOC' in the last column"):
        data.open_tagged([tmp_path / "test.conll"])


@pytest.mark.parametrize("scheme", [*SCHEMES, "BIO", "BIOES"])
def test_a_given_scheme(tmp_path, scheme):
    spans = [Span("A", 0, 3), Span("B", 4, 5)]
    own = {"BIO": "IOB2", "BIOES": "IOBES"}.get(scheme, scheme)
    tags = spans_to_tags(spans, 5, own)
    text = "".join(f"w{i} {tag}\n" for i, tag in enumerate(tags))
    sentences, summary = read(tmp_path, text, scheme=scheme)
    assert sentences[0][1] == spans and summary.scheme == own
    assert summary.labels == {"A": 1, "B": 1}


def test_a_scheme_that_does_not_fit(tmp_path):
    message = (
        r"a\.conll, sentence at line 3: Tag 2, 'O', is invalid in IOBES: the span of PER before it "
        r"has no end\. The tags look like IOB2; use --tag-scheme IOB2 or auto\."
    )
    with pytest.raises(InputError, match=message):
        read(tmp_path, "a O\n\nb B-PER\nc O\n", scheme="IOBES")
    with pytest.raises(InputError, match="no tag scheme 'IOB3'"):
        read(tmp_path, "a O\n", scheme="IOB3")
    with pytest.raises(InputError, match=r"line 1: 'L-X' is not a tag of IOBES[^.]*\.$"):
        read(tmp_path, "a L-X\nb E-X\nc B-X\nd I-X\n")


def test_summary(tmp_path):
    _, summary = read(tmp_path, "# id 1\na _ O\nb _ B-X\nc _ I-X\n\nd _ B-Y\n")
    assert str(summary) == (
        f"{tmp_path / 'a.conll'}: CoNLL, UTF-8, token = '0', tag = '-1'; 2 rows; "
        "left out 1: comments; scheme IOB2; 4 tokens; 2 spans; labels: X 1, Y 1"
    )
    assert json.loads(json.dumps(summary.to_json()))["num_tokens"] == 4
    _, summary = read(tmp_path, "New B\nYork I\nis O\n")
    assert str(summary).endswith("; tags without labels get the label ENTITY")
    _, summary = read(tmp_path, "".join(f"a B-{i}\n" for i in range(12)))
    assert "B" not in summary.labels and str(summary).endswith(" and 2 others")


UNER = """# text = Ann sees
1\tAnn\tB-PER\t-
1.1\tit\tO\t-
2\tsees\tO\t-
"""
ANN = (["Ann", "sees", "Oslo"], [Span("PER", 0, 1), Span("LOC", 2, 3)])
JSON_CASES = {
    "Hugging Face": {"tokens": ["Ann", "sees", "Oslo"], "ner_tags": ["B-PER", "O", "B-LOC"]},
    "numbers": {
        "tokens": ["Ann", "sees", "Oslo"],
        "ner_tags": [1, 0, 2],
        "names": ["O", "B-PER", "B-LOC"],
    },
    "words and labels": {"words": ["Ann", "sees", "Oslo"], "labels": ["U-PER", "O", "U-LOC"]},
    "doccano": {"id": 1, "text": "Ann sees Oslo", "label": [[0, 3, "PER"], [9, 13, "LOC"]]},
    "older doccano": {"text": "Ann sees Oslo", "labels": [[9, 13, "LOC"], [0, 3, "PER"]]},
    "doccano with relations": {
        "text": "Ann sees Oslo",
        "entities": [
            {"id": 1, "label": "PER", "start_offset": 0, "end_offset": 3},
            {"id": 2, "label": "LOC", "start_offset": 9, "end_offset": 13},
        ],
    },
    "spaCy": {"text": "Ann sees Oslo", "entities": [[0, 3, "PER"], [9, 13, "LOC"]]},
    "spans": {
        "text": "Ann sees Oslo",
        "spans": [
            {"start": 0, "end": 3, "label": "PER"},
            {"start": 9, "end": 13, "label": "LOC"},
        ],
    },
}


@pytest.mark.parametrize("case", JSON_CASES)
def test_json_lines(tmp_path, case):
    sentences, summary = read(tmp_path, json.dumps(JSON_CASES[case]) + "\n\n", "a.jsonl")
    assert sentences == [ANN]
    assert summary.format == "JSON lines" and summary.labels == {"PER": 1, "LOC": 1}


def test_json_lines_with_options(tmp_path):
    row = {"tokens": ["Ann", "sees", "Oslo"], "ner_tags": [0, 1, 0], "upos": ["N", "V", "N"]}
    sentences, summary = read(tmp_path, json.dumps(row), "a.jsonl", tag_column="upos")
    assert [span.label for span in sentences[0][1]] == ["N", "V", "N"]
    assert summary.columns == {"token": "tokens", "tag": "upos"}
    sentences, _ = read(tmp_path, json.dumps(row), "a.jsonl", tag_names=("O", "B-X"))
    assert sentences[0][1] == [Span("X", 1, 2)]


def test_original_texts(tmp_path):
    rows = [
        {"text": "Ann  sees", "spans": []},
        {"tokens": ["Ann", "."], "tags": ["O", "O"], "text": "Ann."},
        {"tokens": ["Ann", "."], "tags": ["O", "O"]},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    [file] = data.open_tagged([tmp_path / "a.jsonl"])
    assert [sentence.text for sentence in file] == ["Ann  sees", "Ann.", ""]


def test_escaped_chinese_texts_are_split_into_characters(tmp_path):
    line = json.dumps({"text": "张小明", "label": [[0, 3, "PER"]]})
    assert line.isascii()
    sentences, summary = read(tmp_path, line, "a.jsonl")
    assert sentences == [(["张", "小", "明"], [Span("PER", 0, 3)])]
    assert summary.tokenizer == "char_nospace" and summary.num_tokens == 3


JSON_ERRORS = {
    "a string of tokens": (
        '{"tokens": "Ann sees", "ner_tags": []}',
        "line 2: 'tokens' must be a list of tokens, not 'Ann sees'",
    ),
    "a string of tags": (
        '{"tokens": ["a"], "ner_tags": "O"}',
        "line 2: 'ner_tags' must be a list of tags, not 'O'",
    ),
    "a token that is a list": (
        '{"tokens": [["a"]], "ner_tags": ["O"]}',
        "line 2: the token .* is not a text",
    ),
    "an empty token": ('{"tokens": [""], "ner_tags": ["O"]}', "line 2: the token '' is not a text"),
    "more tokens than tags": (
        '{"tokens": ["a", "b"], "ner_tags": ["O"]}',
        "line 2: 2 tokens have 1 tags",
    ),
    "numbers without names": (
        '{"tokens": ["a"], "ner_tags": [1]}',
        "line 2: 'ner_tags' has numbers; give the names of the tags with --tag-names",
    ),
    "a number out of range": (
        '{"tokens": ["a"], "ner_tags": [-1], "names": ["O"]}',
        "line 2: the tag -1 is not a number from 0 to 0",
    ),
    "a tag that is true": (
        '{"tokens": ["a", "b"], "ner_tags": [0, true], "names": ["O", "X"]}',
        "line 2: the tag True is not a number",
    ),
    "half a surrogate pair": (
        r'{"tokens": ["a\ud800"], "ner_tags": ["O"]}',
        "line 2: character 2 is half a surrogate pair",
    ),
    "a long number": (
        '{"tokens": ["a"], "ner_tags": [%s]}' % ("9" * 5_000),
        "line 2: the length of a number in digits is 5000",
    ),
    "deep": ('{"tokens": ' + "[" * 100_000, "line 2: JSON is nested too deep"),
    "neither tokens nor text": ('{"a": 1, "b": 2}', "line 2: expected an object .* there are a, b"),
    "no keys": ("{}", "line 2: expected an object .* there are none"),
    "overlapping spans": (
        '{"text": "a b c", "label": [[0, 3, "X"], [2, 5, "Y"]]}',
        "line 2: the span Y from 2 to 5 overlaps with another",
    ),
    "a span of four": ('{"text": "a", "label": [[0, 1, "X", 2]]}', "line 2: expected a span"),
    "a fraction": ('{"text": "a", "label": [[0, 1.5, "X"]]}', "line 2: expected a span"),
    "no label": ('{"text": "a", "label": [[0, 1, null]]}', "line 2: expected a span"),
    "text that is not a string": ('{"text": 3, "label": []}', "line 2: expected an object"),
}


@pytest.mark.parametrize("case", JSON_ERRORS)
def test_errors_in_json_lines(tmp_path, case):
    line, message = JSON_ERRORS[case]
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, "\n" + line, "a.jsonl")
    assert "a.jsonl" in str(error.value) and len(str(error.value)) < 500


TABLE_ERRORS = {
    "an empty token": ("Sentence #,Word,Tag\n1,a,O\n1,,O\n", "line 3: the token is empty"),
    "no sentence": ("Sentence #,Word,Tag\n,a,O\n", "line 2: the column 'Sentence #' is empty"),
    "other columns": ("a,b\nc,d\n", "line 1: a table of tokens needs columns"),
}


@pytest.mark.parametrize("case", TABLE_ERRORS)
def test_errors_in_tables(tmp_path, case):
    text, message = TABLE_ERRORS[case]
    with pytest.raises(InputError, match=rf"a\.csv, {message}"):
        read(tmp_path, text, "a.csv")


KAGGLE = """Sentence #,Word,POS,Tag
Sentence: 1,Ann,NNP,B-per
,sees,VBZ,O
,"Oslo, Norway",NNP,B-geo
Sentence: 2,"""


def test_tables_with_a_sentence_column(tmp_path):
    sentences, summary = read(tmp_path, KAGGLE + '"""",``,O\n', "a.csv")
    assert sentences == [
        (["Ann", "sees", "Oslo, Norway"], [Span("per", 0, 1), Span("geo", 2, 3)]),
        (['"'], []),
    ]
    assert summary.columns == {"sentence": "Sentence #", "token": "Word", "tag": "Tag"}
    pos, _ = read(tmp_path, KAGGLE + "a,DT,O\n", "a.csv", tag_column="POS")
    assert [span.label for span in pos[0][1]] == ["NNP", "VBZ", "NNP"]
    numbered = "sentence_id,token,label\n0,a,O\n0,b,B-X\n1,c,O\n"
    sentences, _ = read(tmp_path, numbered, "a.csv")
    assert sentences == [(["a", "b"], [Span("X", 1, 2)]), (["c"], [])]


def cells(blacklist):
    """Draw cells of a file: all of Unicode but halves of surrogate pairs and some characters."""
    characters = st.characters(blacklist_characters=blacklist, blacklist_categories=("Cs",))
    return st.text(characters, min_size=1).filter(
        # Spaces around a cell and a byte order mark at the beginning of the file are not read.
        lambda cell: cell == cell.strip(" ") and cell[0] not in "#\ufeff" and cell != "-DOCSTART-"
    )


@given(st.lists(cells(""), min_size=1, max_size=4), st.booleans())
def test_json_written_and_read_back(tmp_path_factory, tokens, ascii_only):
    row = {"tokens": tokens, "ner_tags": ["B-X"] * len(tokens)}
    folder = tmp_path_factory.mktemp("rows")
    sentences, _ = read(folder, json.dumps(row, ensure_ascii=ascii_only), "a.jsonl")
    assert sentences == [(tokens, [Span("X", i, i + 1) for i in range(len(tokens))])]


@pytest.mark.parametrize("content", ["a O\nb B-X\n", UNER, KAGGLE, json.dumps(JSON_CASES["spaCy"])])
@given(drawn=st.data())
def test_damaged_files_are_read_or_are_errors(tmp_path_factory, content, drawn):
    start = drawn.draw(st.integers(0, len(content)))
    end = drawn.draw(st.integers(start, len(content)))
    damaged = content[:start].encode() + drawn.draw(st.binary(max_size=3)) + content[end:].encode()
    name = "a.csv" if content == KAGGLE else "a.conll"
    try:
        sentences, summary = read(tmp_path_factory.mktemp("rows"), damaged, name)
    except InputError as error:
        assert name in str(error)
    else:
        assert all(tokens and all(tokens) for tokens, _ in sentences)
        assert "\n" not in str(summary)


@pytest.mark.parametrize("module", [tagging, conll_columns])
def test_examples_in_docstrings(module):
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


LABEL_STUDIO = [
    {
        "id": 7,
        "data": {"text": "Ann sees Oslo", "source": "x"},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {
                "was_cancelled": False,
                "result": [
                    {
                        "type": "labels",
                        "from_name": "label",
                        "value": {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]},
                    },
                    {"type": "relation", "from_id": "a", "to_id": "b"},
                    {
                        "type": "labels",
                        "value": {"start": 9, "end": 13, "text": "Oslo", "labels": ["LOC"]},
                    },
                ],
            },
        ],
    },
    {"id": 8, "data": {"text": "It rains"}, "annotations": [{"result": []}]},
    {"id": 9, "data": {"text": "Not done"}, "annotations": []},
]


def test_label_studio(tmp_path):
    sentences, summary = read(tmp_path, json.dumps(LABEL_STUDIO, indent=1), "a.json")
    assert sentences == [ANN, (["It", "rains"], [])]
    assert summary.format == "JSON array" and summary.labels == {"PER": 1, "LOC": 1}
    assert summary.left_out == {"tasks without an annotation": 1}
    assert summary.columns == {"text": "data.text", "spans": "annotations"}
    short = {"text": "Ann", "label": [{"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]}]}
    assert read(tmp_path, json.dumps([short]), "b")[0] == [(["Ann"], [Span("PER", 0, 1)])]
    for change, message in (
        ({"data": {"a": "x", "b": "y"}}, "element 1: the data of the task needs a string text"),
        ({"annotations": [{}]}, "element 1: an annotation of the task has no list result"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path, json.dumps([LABEL_STUDIO[0] | change]), "a.json")


@pytest.mark.parametrize("case", JSON_CASES)
def test_json_arrays(tmp_path, case):
    row = JSON_CASES[case]
    sentences, summary = read(tmp_path, json.dumps([row, row]), "a.json")
    assert sentences == [ANN, ANN] and summary.format == "JSON array"
    with pytest.raises(InputError, match=r"a\.json, element 2: it is not a JSON object"):
        read(tmp_path, json.dumps([row, 3]), "a.json")


def test_each_file_is_read_once(tmp_path, monkeypatch):
    numbers, read_lines = [], files.read_lines

    def count(path, encoding="utf-8"):
        for number, line in read_lines(path, encoding):
            numbers.append(number)
            yield number, line

    for module in (files, conll_columns, json_lines):
        monkeypatch.setattr(module, "read_lines", count)
    monkeypatch.setattr(conll_columns, "MAX_SAMPLE_LINES", 10)
    for name, line in (("a.conll", "a O\n\n"), ("a.jsonl", json.dumps(JSON_CASES["spaCy"]) + "\n")):
        numbers.clear()
        [file] = _open(tmp_path, line * 100, name)
        assert list(file) == list(file)
        assert numbers.count(50) == 1

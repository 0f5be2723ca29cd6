"""Tests of the readers of tagged sentences."""

import pytest

from keras_seq import data
from keras_seq._internal.errors import InputError
from keras_seq.text.tag_schemes import Span
from keras_seq.text.tokenizers import TOKENIZERS

COLUMNS = """-DOCSTART- -X- O O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

Peter NNP B-NP B-PER
"""


def write(folder, text, encoding="utf-8", name="a.conll"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_read_conll(tmp_path):
    path = write(tmp_path, COLUMNS)
    assert data.read_conll(path) == [
        (["EU", "rejects"], ["B-ORG", "O"], 3, ""),
        (["Peter"], ["B-PER"], 6, ""),
    ]
    tags_first = write(tmp_path, "\ufeffO\ta b\r\nB-X\tc\r\n")
    assert data.read_conll(tags_first, token_column=-1, tag_column=0) == [
        (["a b", "c"], ["O", "B-X"], 1, "")
    ]


SURFACES = {
    "a comment": ("# text = Ada's  cat.\n", "", "Ada's  cat."),
    "no text": ("# sent_id = 1\n", "", ""),
    "the column MISC": ("", "SpaceAfter=No", "Ada's cat."),
    "a comment before the column": ("# text = x\n", "SpaceAfter=No", "x"),
    "several values in MISC": ("", "a=b|SpaceAfter=No", "Ada's cat."),
}


@pytest.mark.parametrize("case", SURFACES)
def test_original_text_of_conll_u(tmp_path, case):
    comment, misc, text = SURFACES[case]
    rows = [("Ada", misc), ("'s", ""), ("cat", misc), (".", "")]
    lines = [
        f"{i}\t{token}\t_\tX" + "\t_" * 5 + f"\t{value or '_'}"
        for i, (token, value) in enumerate(rows, 1)
    ]
    path = write(tmp_path, comment + "\n".join(lines) + "\n", name="a.conllu")
    [sentence] = data.read_conll(path)
    assert sentence.text == text


def test_original_text_with_ranges_and_empty_nodes(tmp_path):
    rows = [
        ("1", "vient", "_"),
        ("2-3", "du", "_"),
        ("2", "de", "_"),
        ("3", "le", "_"),
        ("3.1", "ghost", "_"),
        ("4", "nord", "SpaceAfter=No"),
        ("5", ".", "_"),
        ("9" * 5_000, "!", "_"),
    ]
    lines = [f"{id_}\t{token}\t_\tX" + "\t_" * 5 + f"\t{misc}" for id_, token, misc in rows]
    path = write(tmp_path, "\n".join([*lines, "", *lines[:1], *lines[5:6]]), name="a.conllu")
    assert [sentence.text for sentence in data.read_conll(path)] == [
        "vient du nord. !",
        "vient nord",
    ]


def test_read_spans(tmp_path):
    path = write(
        tmp_path,
        '{"text": "He lived in New York.", "spans": [{"start": 12, "end": 20, "label": "LOC"}]}\n\n'
        '{"text": "no one", "spans": []}\n',
    )
    assert data.read_spans(path, TOKENIZERS["word"]) == [
        (["He", "lived", "in", "New", "York", "."], [Span("LOC", 3, 5)]),
        (["no", "one"], []),
    ]


CONLL_ERRORS = {
    "too few columns": ("a B-X\nb\n", "line 2: 'b' has 1 column, but token and tag need 2"),
    "no sentence": ("\n\n", "contains no sentences"),
}


@pytest.mark.parametrize("case", CONLL_ERRORS)
def test_errors_in_conll_files(tmp_path, case):
    text, message = CONLL_ERRORS[case]
    with pytest.raises(InputError, match=message):
        data.read_conll(write(tmp_path, text))


def test_mixed_encodings_and_missing_files(tmp_path):
    path = tmp_path / "mixed.conll"
    path.write_bytes("é O\n".encode() + "é O\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 2: byte 1 is not utf-8; give --encoding"):
        data.read_conll(path)
    assert data.read_conll(write(tmp_path, "é O\n", "latin-1"), encoding="latin-1")
    with pytest.raises(InputError, match="There is no file"):
        data.read_conll(tmp_path / "none")
    with pytest.raises(InputError, match="no encoding 'utf-9'"):
        data.read_conll(path, encoding="utf-9")


SPAN_ERRORS = {
    "not JSON": ("Ada", "line 1: the line is not JSON: Expecting value at character 1"),
    "no spans": ('{"text": "a"}', "expected an object with a string text"),
    "a list": ("[1]", "the line is not a JSON object"),
    "a span inside a token": (
        '{"text": "Ada", "spans": [{"start": 0, "end": 2, "label": "X"}]}',
        "the span X from 0 to 2 does not begin and end with a token of 'Ada'",
    ),
    "an empty text": ('{"text": " ", "spans": []}', "the text is empty"),
    "no objects": ("\n", "contains no sentences"),
}


@pytest.mark.parametrize("case", SPAN_ERRORS)
def test_errors_in_span_files(tmp_path, case):
    text, message = SPAN_ERRORS[case]
    with pytest.raises(InputError, match=message):
        data.read_spans(write(tmp_path, text), TOKENIZERS["word"])

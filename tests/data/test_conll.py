"""Reading tagged sentences from files."""

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


def written(folder, text, encoding="utf-8", name="a.conll"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_columns(tmp_path):
    path = written(tmp_path, COLUMNS)
    assert data.read_conll(path) == [
        (["EU", "rejects"], ["B-ORG", "O"], 3),
        (["Peter"], ["B-PER"], 6),
    ]
    tags_first = written(tmp_path, "\ufeffO\ta b\r\nB-X\tc\r\n")
    assert data.read_conll(tags_first, token_column=-1, tag_column=0) == [
        (["a b", "c"], ["O", "B-X"], 1)
    ]


def test_spans(tmp_path):
    path = written(
        tmp_path,
        '{"text": "He lived in New York.", "spans": [{"start": 12, "end": 20, "label": "LOC"}]}\n\n'
        '{"text": "no one", "spans": []}\n',
    )
    assert data.read_spans(path, TOKENIZERS["word"]) == [
        (["He", "lived", "in", "New", "York", "."], [Span("LOC", 3, 5)]),
        (["no", "one"], []),
    ]


MISTAKES = {
    "too few columns": ("a B-X\nb\n", "line 2: 'b' has 1 column, but token and tag need 2"),
    "no sentence": ("\n\n", "contains no sentences"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_columns(tmp_path, mistake):
    text, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        data.read_conll(written(tmp_path, text))


def test_mixed_encodings_and_missing_files(tmp_path):
    path = tmp_path / "mixed.conll"
    path.write_bytes("é O\n".encode() + "é O\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 2: byte 1 is not utf-8; give --encoding"):
        data.read_conll(path)
    assert data.read_conll(written(tmp_path, "é O\n", "latin-1"), encoding="latin-1")
    with pytest.raises(InputError, match="There is no file"):
        data.read_conll(tmp_path / "none")
    with pytest.raises(InputError, match="no encoding 'utf-9'"):
        data.read_conll(path, encoding="utf-9")


BROKEN = {
    "not JSON": ("Ada", "line 1: the line is not JSON: Expecting value at character 1"),
    "no spans": ('{"text": "a"}', "expected an object with a string text"),
    "a list": ("[]", "the line is not a JSON object"),
    "a span that cuts a token": (
        '{"text": "Ada", "spans": [{"start": 0, "end": 2, "label": "X"}]}',
        "the span X from 0 to 2 does not begin and end with a token of 'Ada'",
    ),
    "an empty text": ('{"text": " ", "spans": []}', "the text is empty"),
    "nothing": ("\n", "contains no sentences"),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_mistakes_in_spans(tmp_path, mistake):
    text, message = BROKEN[mistake]
    with pytest.raises(InputError, match=message):
        data.read_spans(written(tmp_path, text), TOKENIZERS["word"])

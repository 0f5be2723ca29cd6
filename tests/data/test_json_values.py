"""Unusual values in JSON, in every reader of JSON: a correct reading, or one sentence."""

import pytest
from keras_seq_recipes.ner import config as ner_config
from keras_seq_recipes.ner import data as ner_data

from keras_seq import data
from keras_seq._internal.errors import InputError


def read_table(path):
    return list(data.read_table(path, {"text": "text", "label": "label"}))


def read_pairs(path):
    return list(data.read_parallel_text([path], data.ParallelOptions("en", "de")))


def read_tagged(path):
    [(_, sentences)] = ner_data.read_files([path], ner_config.Config())
    return list(sentences)


# In place of VALUE is a text, a token, a number or a label.
READERS = {
    "table": (
        read_table,
        ".jsonl",
        ['{"text": "a", "label": "b"}', '{"text": VALUE, "label": "b"}'],
    ),
    "array": (
        read_table,
        ".json",
        ['[{"text": "a", "label": "b"},', '{"text": VALUE, "label": 1}]'],
    ),
    "other key": (
        read_table,
        ".jsonl",
        ['{"text": "a", "label": "b"}', '{"text": "c", "label": "b", "x": VALUE}'],
    ),
    "tokens": (
        read_tagged,
        ".jsonl",
        ['{"tokens": ["a"], "ner_tags": ["O"]}', '{"tokens": [VALUE], "ner_tags": ["B-X"]}'],
    ),
    "tags": (
        read_tagged,
        ".jsonl",
        ['{"tokens": ["a"], "ner_tags": ["O"]}', '{"tokens": ["a"], "ner_tags": [VALUE]}'],
    ),
    "doccano text": (
        read_tagged,
        ".jsonl",
        ['{"text": "a", "label": [[0, 1, "X"]]}', '{"text": VALUE, "label": []}'],
    ),
    "doccano start": (
        read_tagged,
        ".jsonl",
        ['{"text": "a", "label": [[0, 1, "X"]]}', '{"text": "a", "label": [[VALUE, 1, "X"]]}'],
    ),
    "spaCy label": (
        read_tagged,
        ".jsonl",
        ['{"text": "a", "entities": [[0, 1, "X"]]}', '{"text": "a", "entities": [[0, 1, VALUE]]}'],
    ),
    "pairs": (read_pairs, ".jsonl", ['{"en": "a", "de": "b"}', '{"en": VALUE, "de": "b"}']),
    "pair array": (read_pairs, ".json", ['[{"en": "a", "de": "b"},', '{"en": VALUE, "de": "b"}]']),
    "translation": (
        read_pairs,
        ".jsonl",
        [
            '{"translation": {"en": "a", "de": "b"}}',
            '{"translation": {"en": VALUE, "de": "b"}}',
        ],
    ),
}

BAD = {
    "digits": ("1" * 5_000, "the length of a number in digits is 5000, above the limit of 1000"),
    "decimals": ("1." + "1" * 5_000, "the length of a number in digits is 5002, above the limit"),
    "too large": ("1e5000", "the number 1e5000 is too large"),
    "infinite": ("Infinity", "Infinity is not a number in JSON"),
    "deep": ("[" * 100_000 + "]" * 100_000, "JSON is nested too deeply to parse; the limit"),
    "deep and open": (
        "[" * 100_000,
        "JSON is nested too deeply to parse; the limit max_depth is 64",
    ),
    "somewhat deep": ("[" * 100 + "]" * 100, "the depth of JSON is 1"),
    "name twice": ('{"a": 1, "a": 2}', "a JSON object has the duplicate name 'a'"),
    "no JSON": ("?", "is not JSON: Expecting value at character"),
}


def write(tmp_path, reader, value):
    read, suffix, lines = READERS[reader]
    path = tmp_path / f"a{suffix}"
    path.write_text("\n".join(lines).replace("VALUE", value))
    return read, path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", BAD)
def test_bad_values(tmp_path, reader, kind):
    value, message = BAD[kind]
    read, path = write(tmp_path, reader, value)
    with pytest.raises(InputError) as error:
        read(path)
    place = f"{path}, {'element' if path.suffix == '.json' else 'line'} 2: "
    assert str(error.value).startswith(place), error.value
    assert message in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300 + len(place)


@pytest.mark.parametrize("reader", [name for name in READERS if name != "other key"])
def test_half_of_a_surrogate_pair(tmp_path, reader):
    read, path = write(tmp_path, reader, r'"\ud800"')
    with pytest.raises(
        InputError, match=r" 2: .*(half a surrogate pair|whole numbers start and end)"
    ):
        read(path)
    if reader in ("table", "array", "pairs", "pair array", "translation"):
        read, path = write(tmp_path, reader, r'"\ud83d\ude00"')
        assert "\U0001f600" in read(path)[1]


@pytest.mark.parametrize("reader", READERS)
def test_a_value_of_200_000_characters(tmp_path, reader):
    text = "x" * 200_000
    read, path = write(tmp_path, reader, f'"{text}"')
    if reader == "doccano start":
        with pytest.raises(
            InputError, match="line 2: expected a span with a label and whole numbers"
        ):
            read(path)
    else:
        assert (text in str(read(path))) == (reader != "other key")


@pytest.mark.parametrize("value", ["NaN", "null"])
def test_missing_values(tmp_path, value):
    for reader in ("table", "array"):
        read, path = write(tmp_path, reader, value)
        with pytest.raises(InputError, match="2: the text is empty"):
            read(path)
    for reader in ("pairs", "pair array", "translation"):
        read, path = write(tmp_path, reader, value)
        with data.collect_summaries() as summaries:
            assert read(path) == [("a", "b")]
        assert summaries[0].left_out == {"the source is blank": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a", "label": "b"}\n{"text": "c", "label": "b"}]', "element 1: line 2 is not"),
        ('[{"text": "a", "label": "b"},\n]', "element 2: line 2 is not JSON: Expecting value"),
        ('[{"text": "a", "label": "b"}', "element 1: the line is not JSON: Expecting ',' or ']'"),
        ('[{"text": "a", "label": "b"}] 3', "a.json: text follows the JSON array"),
        ('[{"text": "a", "label": "b"}, 3]', "element 2: it is not a JSON object"),
        ("[]", "contains no rows"),
    ],
)
def test_damaged_arrays(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_table(path)
    path.write_text('\n [ {"text": "a",\n"label": "b"}\n,\t{"text": "c", "label": "d"} ]\n\n')
    assert read_table(path) == [(1, "a", "b"), (2, "c", "d")]

"""Tests of the report on examples, and of the checks of texts."""

import doctest
import json
from collections import Counter

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from keras_seq.batching import RawExamples
from keras_seq.data import ReadSummary, report, text_checks
from keras_seq.data.report import ExampleColumns, LengthSummary, make_report
from keras_seq.data.text_checks import check_texts


def labeled(*rows):
    """Return the columns of rows such as "good film: good"."""
    texts, labels = zip(*(row.split(": ") for row in rows))
    return ExampleColumns.of(RawExamples(list(texts), {"labels": list(labels)}))


def numbered(number, text="text", label="good"):
    return [f"{text} {i}: {label}" for i in range(number)]


def complete(**splits):
    """Return a dataset about which there is no warning, apart from some splits."""
    whole = {
        split: labeled(*numbered(5, f"{split} good"), *numbered(5, f"{split} bad", "bad"))
        for split in ("train", "validation", "test")
    }
    return whole | splits


@pytest.mark.parametrize("module", [report, text_checks])
def test_examples_in_docstrings(module):
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


def test_counts_labels_lengths_and_examples():
    found = make_report(complete())
    assert found.num_examples == {"train": 10, "validation": 10, "test": 10}
    assert found.labels == {
        label: {"train": 5, "validation": 5, "test": 5} for label in ("bad", "good")
    }
    assert found.lengths == LengthSummary("characters", 11, 17, 17)
    assert found.examples[0] == ("train good 0", "good") and len(found.examples) == 3
    assert found.warnings == []
    assert found.to_json()["lengths"]["longest"] == 17


@pytest.mark.parametrize(
    ("splits", "warning"),
    [
        (
            {"test": labeled(*numbered(0), "a: good")},
            "the test split has no example of the label bad (train 5, validation 5)",
        ),
        (
            {"test": labeled(*numbered(5, "test good"), *numbered(5, "TRAIN  bad", "bad"))},
            "5 of 10 inputs of the test split are also in the train split, such as 'TRAIN  bad 0'",
        ),
        (
            {"train": labeled(*numbered(6), *numbered(5, "b", "bad"), *numbered(1, "c", "fair"))},
            "fewer than 5 training examples have the label fair (1)",
        ),
        (
            {"train": labeled(*numbered(6), *numbered(5, "b", "bad"), "text 0: good")},
            "1 of 12 inputs of the train split repeat another, such as 'text 0'",
        ),
        (
            {"train": labeled(*numbered(6), *numbered(5, "b", "bad"), "text 0: bad")},
            "1 repeated inputs have other labels than the first",
        ),
        (
            {"train": labeled(*numbered(6), *numbered(4, "b", "bad"), "long" * 50 + ": bad")},
            "1 inputs are longer than 170 characters, 10 times the 95th percentile; the longest "
            "has 200",
        ),
        (
            {"train": labeled(*numbered(6), *numbered(5, "cafÃ©", "bad"))},
            "5 of 31 texts have bytes of UTF-8 read in another encoding, such as 'cafÃ© 0'",
        ),
    ],
)
def test_warnings(splits, warning):
    assert any(line.startswith(warning) for line in make_report(complete(**splits)).warnings)


def test_empty_splits_and_a_single_label():
    lines = make_report({"train": labeled(*numbered(6))}).warnings
    assert lines == [
        "the validation split is empty",
        "the test split is empty",
        "all examples have the label 'good'",
    ]
    assert make_report({}).warnings[0] == "the train split is empty"


def test_summaries_become_json():
    summary = ReadSummary("a.csv", "table", 1, left_out=Counter(blank=2), notes=("a",))
    fields = json.loads(json.dumps(make_report({}, [summary]).to_json()))["read"][0]
    assert fields["left_out"] == {"blank": 2} and ReadSummary.from_json(fields) == summary


def test_the_limit_of_a_recipe():
    columns = ExampleColumns.of(RawExamples([["a"] * 3, ["b"] * 9])).replace(max_length=8)
    lines = make_report({"train": columns}).warnings
    assert "1 inputs are longer than 8 tokens, the limit of the recipe; the longest has 9" in lines


def test_columns_by_type():
    tokens = ExampleColumns.of(RawExamples([["a", "b"]]))
    assert (tokens.unit, tokens.lengths, tokens.texts) == ("tokens", [2], ["a b"])
    pairs = ExampleColumns.of(RawExamples(["one"], ["un"]))
    assert (pairs.targets, pairs.texts) == (["un"], ["one", "un"])
    words = ExampleColumns.of(RawExamples(["read"], [["r iy d", "r eh d"]]))
    assert words.targets == ["r iy d | r eh d"]
    images = ExampleColumns.of(RawExamples(np.zeros((2, 28, 28), "uint8"), np.zeros(2)))
    assert (images.unit, images.lengths, images.texts) == ("steps", [28, 28], [])
    found = make_report({"train": images})
    assert found.examples[0] == ("array (28, 28), uint8, 0 to 0", "")
    assert any("1 of 2 inputs of the train split repeat" in line for line in found.warnings)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\x00b\x07", "has control or private characters (U+0000, U+0007)"),
        ("\ufeffa", "has control or private characters (U+FEFF)"),
        ("caf\ufffd", "has U+FFFD in place of bytes that could not be decoded"),
        ("cafÃ©", "has bytes of UTF-8 read in another encoding"),
        ("itâ€™s", "has bytes of UTF-8 read in another encoding"),
        ("Ð¿Ñ€Ð¸", "has bytes of UTF-8 read in another encoding"),
        ("Моscow", "has words that mix Latin with Cyrillic or Greek letters"),
        ("4711", "has no letters"),
    ],
)
def test_suspicious_texts(text, reason):
    assert check_texts([text]) == [f"1 of 1 texts {reason}, such as {text!r}"]


@pytest.mark.parametrize(
    "text",
    [
        "Das „Ä“ und «é», MÃE, À bientôt.",
        "Δt of 5 μm; Москва and Moscow",
        "日本語 text\twith\r\nlines",
        "naïve façade",
        "नमस्ते",
        "ˈkæθlɪk | nɔχ | aβɾiɾ",
        "",
    ],
)
def test_texts_in_order(text):
    assert check_texts([text]) == []


@hypothesis.given(st.lists(st.text()))
def test_any_texts(texts):
    assert all(f" of {len(texts):,} texts " in line for line in check_texts(texts))


def test_the_place_is_shown():
    [line] = check_texts(["a" * 100 + "cafÃ©" + "b" * 100])
    assert "aaacafÃ©bbb" in line and len(line) < 150


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_misread_letters_are_noticed(encoding):
    for letter in "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßÀÉÖ’–“":
        try:
            misread = letter.encode().decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "cp1252" or letter.isalpha():
            assert check_texts([f"a{misread}b"]), letter

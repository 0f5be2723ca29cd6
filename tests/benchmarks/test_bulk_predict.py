"""Benchmark of bulk predictions: its verdict and its part of the page."""

import copy

import pytest

from benchmarks import bulk_predict, page

ROW = {
    "run": "ner",
    "sentences": 1000,
    "seconds": {"command": 12.0, "command, one sentence": 2.0, "library": 8.0, "network": 5.0},
    "peak_megabytes": {"command": 1200, "command, one sentence": 900},
    "killed": {"output": "absent", "same_after_another_command": True, "remains": []},
    "killed_stream": {"ends_with_a_row": True, "is_a_beginning": True},
}


@pytest.mark.parametrize(
    "part, key, value",
    [
        ("killed", "output", "cut"),
        ("killed", "same_after_another_command", False),
        ("killed", "remains", [".writing-abcdefgh"]),
        ("killed_stream", "ends_with_a_row", False),
        ("killed_stream", "is_a_beginning", False),
    ],
)
def test_a_half_row_or_file_is_a_failure(part, key, value):
    row = copy.deepcopy(ROW)
    assert bulk_predict.is_clean(row)
    row[part][key] = value
    assert not bulk_predict.is_clean(row)


def test_the_page_has_sentences_per_second():
    assert page._bulk_predict([ROW])[-1] == "| ner | 1,000 | 83 | 100 | 125 | 200 | 1,200 / 900 |"

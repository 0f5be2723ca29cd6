"""Big files: their content, and the measurement of small ones."""

import json

import pytest

from benchmarks import big_files


@pytest.mark.parametrize("name", big_files.FORMATS)
def test_files_have_different_examples_of_several_labels(tmp_path, name):
    assert big_files.write_file(name, tmp_path, 803) == 803 - 803 % (
        big_files.FORMATS[name].rows_per_example
    )
    content = (tmp_path / big_files.FORMATS[name].name).read_text()
    assert content.count("\n") - (name == "CSV") in (803, 802, 900)
    rows = [*big_files._read(name, tmp_path / big_files.FORMATS[name].name)]
    texts = [str(row[1] if name in ("CSV", "JSON lines", "plain text") else row) for row in rows]
    texts = [text for text in texts if text]
    assert len(set(texts)) == len(texts) >= 100


def test_files_end_at_a_size(tmp_path):
    num_rows = big_files.write_file("CSV", tmp_path, 10**6, 5_000)
    size = (tmp_path / "a.csv").stat().st_size
    assert 5_000 <= size < 5_200 and num_rows == (tmp_path / "a.csv").read_text().count("\n") - 1


@pytest.mark.slow
def test_measurement(tmp_path, monkeypatch):
    arguments = ["big_files", "--rows", "600", "--formats", "CSV", "FASTA", "--output"]
    monkeypatch.setattr("sys.argv", [*arguments, str(tmp_path / "a.json")])
    big_files.main()
    rows = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert [row["phase"] for row in rows] == ["read", "prepare"] * 2
    assert all(row["rows"] == 600 and row["peak_megabytes"] > 20 for row in rows)

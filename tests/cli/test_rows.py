"""Files of predictions."""

import csv
import io
import json

import pytest
from rich.console import Console

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import make_table
from keras_seq.cli._rows import open_writer, print_table


def test_rows_with_further_columns(tmp_path):
    rows = [{"text": "a"}, {"text": "b", "plot": "b.png"}]
    path = tmp_path / "rows.jsonl"
    with open_writer(str(path)) as write:
        write(rows)
    assert path.read_text() == '{"text": "a"}\n{"text": "b", "plot": "b.png"}\n'
    path = tmp_path / "rows.csv"
    with (
        pytest.raises(InputError, match=r"the column 'plot', but the first has not; .*\.jsonl"),
        open_writer(str(path)) as write,
    ):
        write(rows)
    assert not path.exists()


def test_nested_values_are_json_in_files_and_short_in_tables(tmp_path, monkeypatch):
    row = {"text": "a", "probabilities": {"bad": 0.25}, "top words": [("a", 0.75), ("b", 0.25)]}
    with open_writer(str(tmp_path / "rows.jsonl")) as write:
        write([row])
    lists = [["a", 0.75], ["b", 0.25]]
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == {**row, "top words": lists}
    with open_writer(str(tmp_path / "rows.csv")) as write:
        write([row])
    with (tmp_path / "rows.csv").open(newline="") as file:
        [cells] = csv.DictReader(file)
    assert json.loads(cells["probabilities"]) == row["probabilities"]
    assert json.loads(cells["top words"]) == lists
    console = Console(file=io.StringIO(), width=100)
    monkeypatch.setattr("keras_seq.cli._rows.console", console)
    print_table([row])
    text = console.file.getvalue()
    assert "a 0.750  b 0.250" in text and "probabilities" not in text


def test_the_standard_output_gets_complete_rows(monkeypatch):
    raw = Recorder()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BufferedWriter(raw)))
    rows = [{"text": "a" * 1_000, "number": number} for number in range(30)]
    with open_writer("-") as write:
        write(rows[:20])
        assert b"".join(raw.parts).count(b"\n") == 20, "before the next batch"
        write(rows[20:21])
        write(rows[21:])
    assert [json.loads(line) for line in b"".join(raw.parts).splitlines()] == rows


def test_a_narrow_terminal_shows_whole_words():
    table = make_table("run", "preset")
    table.add_row("runs/ner/" + "x" * 30, "default")
    console = Console(file=io.StringIO(), width=30)
    console.print(table)
    assert console.file.getvalue().count("x") == 30


class Recorder(io.RawIOBase):
    """Raw file that keeps what is written."""

    def __init__(self):
        self.parts = []

    def writable(self):
        return True

    def write(self, content):
        self.parts.append(bytes(content))
        return len(content)

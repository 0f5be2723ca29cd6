"""Benchmarks of the start of recipes and of single predictions: processes and parts of the page."""

import sys

import pytest

from benchmarks import page, processes

VERSION = {
    "cpu_seconds": {"importing Keras": 5.0, "reading the data": 1.5},
    "seconds": {"importing Keras": 8.0, "reading the data": 2.0},
    "megabytes": {"importing Keras": 850, "training": 1900},
}
CALLS = {
    "milliseconds": 3.1,
    "predict_milliseconds": 160.0,
    "first_call_seconds": 2.0,
    "next_first_calls_seconds": 0.1,
}


def test_the_page_has_totals_and_phases():
    lines = page._first_batch([{"recipe": "ner", "now": VERSION, "before": VERSION}])
    assert "| ner | 6.5 | 10.0 | 1,900 | 6.5 | 10.0 | 1,900 |" in lines
    assert lines[-1] == "| ner | 5.0 | 1.5 |"


def test_the_page_has_times_of_calls():
    row = {"model": "SequenceTagger", "method": "tag", "now": CALLS}
    assert page._calls([row])[-1] == "| SequenceTagger | tag | 160 | 3.1 | 2.0 | 0.1 |"


def test_a_script_runs_with_the_code_of_a_folder(tmp_path):
    (tmp_path / "keras_seq.py").write_text("NAME = 'other'")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/__init__.py").write_text("NAME = 'other recipes'")
    script = tmp_path / "script.py"
    script.write_text(
        "import keras_seq, keras_seq_recipes, json; print('log')\n"
        "print(json.dumps([keras_seq.NAME, keras_seq_recipes.NAME]))"
    )
    assert processes.run_json(str(script), [], tmp_path) == ["other", "other recipes"]
    script.write_text("raise SystemExit('no model')")
    with pytest.raises(RuntimeError, match="no model"):
        processes.run_json(str(script), [], tmp_path)
    assert str(tmp_path) not in sys.path


def test_versions_have_folders(tmp_path):
    assert list(processes.versions(tmp_path)) == ["now", "before"]
    assert (processes.versions(None)["now"] / "keras_seq").is_dir()

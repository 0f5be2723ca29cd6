"""Training and use of runs in Python, and the commands `predict` and `runs`."""

import csv
import dataclasses
import io
import json
import re
import shutil
import sys
from pathlib import Path

import formula_recipe
import keras
import numpy as np
import pytest
from PIL import Image

import keras_seq
from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.train import api

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)

RUN = Path("runs/formula/narrow")
NAMED = ("--recipe", "./formula")


def run(*arguments):
    """Return the exit code of a command line, run in this process."""
    return cli.main(list(map(str, arguments)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a recipe and a run of it that was trained from Python."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        name = formula_recipe.write(folder / "formula")
        result = keras_seq.train(name, run="narrow", width=2, test=False)
        assert result.folder == RUN and "test" not in result.metrics
    return folder


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """Return a copy of `trained`, which is the current folder."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_in_python_equals_the_commands(place, capsys):
    loaded = keras_seq.load_run(RUN, "./formula")
    assert repr(loaded) == f"TrainedRun({str(RUN)!r}, recipe='formula')"
    assert loaded.config.width == 2 and loaded.recipe.name == "formula"
    assert loaded.model.count_params() == 2
    [row, _] = loaded.predict(["a", "b"])
    assert row["input"] == "a"
    assert run("predict", RUN, "a", *NAMED) == 0
    assert f"{row['weights']:.3f}" in capsys.readouterr().out
    loaded.model.config = loaded.config
    with pytest.raises(InputError, match="finished run"):
        keras_seq.train("./formula", run="narrow")


def test_errors_of_the_api(place):
    with pytest.raises(InputError, match=r"no field of formula 'widht'.* 'width'"):
        keras_seq.train("./formula", widht=2)
    with pytest.raises(InputError, match="is not a run"):
        keras_seq.load_run("formula")
    with pytest.raises(InputError, match="If you trust its code"):
        keras_seq.load_run(RUN)
    (RUN / "metrics.json").unlink()
    with pytest.raises(InputError, match="is not finished"):
        keras_seq.load_run(RUN, "./formula")
    run = api.TrainedRun(api.Run(RUN), api.registry.find("./formula"))
    with pytest.raises(InputError, match="no format 'h5'"):
        run.export("h5")
    with pytest.raises(InputError, match="Expected a list of inputs, got one input: 'a text'"):
        run.predict("a text")


@pytest.mark.parametrize(
    "use",
    [lambda run: run.trace("a"), lambda run: run.write_trace_page("a"), api.TrainedRun.export],
)
def test_the_backend_is_imported_without_its_messages(place, monkeypatch, use):
    def stop():
        raise KeyboardInterrupt

    loaded = keras_seq.load_run(RUN, "./formula")
    monkeypatch.setattr("keras_seq._internal.startup.import_backend", stop)
    for name in ("keras_seq.export", "keras_seq.tracing", "keras_seq.train.trace_page"):
        monkeypatch.setitem(sys.modules, name, None)  # an import before it fails
    with pytest.raises(KeyboardInterrupt):
        use(loaded)


INPUTS = ["one", "", "bad", "two", "bad"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv"])
def test_predictions_of_a_file(place, capsys, suffix):
    Path("inputs.txt").write_text("\n".join(INPUTS) + "\n")
    command = ("predict", RUN, *NAMED, "--input", "inputs.txt", "--batch-size", 2, "--output")
    assert run(*command, f"out.{suffix}") == 0
    error = capsys.readouterr().err
    assert error.count("The input 'bad' is bad.") == 2 and "left out 2 bad inputs" in error
    assert "2 rows written, 1 blank line skipped" in error
    text = Path(f"out.{suffix}").read_text()
    if suffix == "jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
        assert isinstance(rows[0]["weights"], float)
    else:
        rows = list(csv.DictReader(io.StringIO(text), delimiter="," if suffix == "csv" else "\t"))
    assert [row["input"] for row in rows] == ["one", "two"]
    assert run(*command, f"out.{suffix}") == 2
    assert "exists already" in capsys.readouterr().err


def test_encoding_of_a_file(place, capsys):
    Path("inputs.txt").write_bytes("caf\u00e9\n".encode("latin-1"))
    command = ("predict", RUN, *NAMED, "--input", "inputs.txt", "--output", "-")
    assert run(*command) == 2
    assert "byte 4 is not utf-8; give --encoding" in capsys.readouterr().err
    assert run(*command, "--encoding", "latin-1") == 0
    assert json.loads(capsys.readouterr().out)["input"] == "caf\u00e9"
    assert run(*command, "--encoding", "latin-0") == 2
    assert "There is no encoding 'latin-0'" in capsys.readouterr().err


def test_files_without_predictions(place, capsys):
    Path("inputs").write_text("bad\n")
    for name in ("rows.csv", "rows.jsonl"):
        assert run("predict", RUN, *NAMED, "--input", "inputs", "--output", name) == 0
        error = capsys.readouterr().err
        assert f"--output {name} is empty, without a header, since there are no" in error
        assert "left out 1 bad input:" in error and Path(name).read_bytes() == b""


def test_predictions_of_the_standard_input(place, capsys, monkeypatch):
    content = "one\nbad\r\nzw\u00f6lf\n".encode("latin-1")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    command = ("predict", RUN, *NAMED, "--input", "-", "--output", "-")
    assert run(*command, "--encoding", "latin-1") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["input"] for row in rows] == ["one", "zw\u00f6lf"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run(*command) == 2
    assert "The standard input is not utf-8 after line 0" in capsys.readouterr().err


def test_a_file_is_written_completely_or_not_at_all(place, monkeypatch):
    Path("inputs.txt").write_text("one\ntwo\n")

    def stop_after_one(batches, _):
        yield next(iter(batches))
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_seq.cli.predict._count", stop_after_one)
    command = ("predict", RUN, *NAMED, "--input", "inputs.txt", "--output", "out.csv")
    assert run(*command) == 130
    assert sorted(path.name for path in place.iterdir()) == ["formula", "inputs.txt", "log", "runs"]


@pytest.mark.parametrize(
    "options, message",
    [
        ((), "either inputs after the folder of the run, or a file with --input"),
        (("a", "--input", "b"), "either inputs after the folder of the run, or a file"),
        (("a", "--output", "rows.xml"), "--output rows.xml must end with .jsonl, .csv, .tsv"),
        (("a", "--batch-size", "0"), "--batch-size must be an integer of at least 1, got 0"),
        (("--input", "nowhere.txt"), "nowhere.txt"),
    ],
)
def test_errors_of_predict(place, capsys, options, message):
    Path("b").touch()
    assert run("predict", RUN, *options, *NAMED) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_list_of_runs(place, capsys):
    assert run("train", "./formula", "--run", "fine", "--kind", "fine") == 0
    shutil.copytree(RUN, "runs/formula/open")
    Path("runs/formula/open/metrics.json").unlink()
    shutil.copytree(RUN, "runs/formula/torn")
    Path("runs/formula/torn/config.json").write_text("{")
    capsys.readouterr()
    assert run("runs") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "runs/formula" in line]
    assert [line.split()[1].removeprefix("runs/formula/") for line in lines] == [
        "fine",
        "narrow",
        "open",
        "torn",
    ]
    assert "accuracy" in lines[0] and "not finished" in lines[2] and "damaged" in lines[3]
    assert run("runs", "--runs", "nowhere") == 2
    assert "There are no runs in nowhere" in capsys.readouterr().err


def test_steps_that_do_not_apply_are_not_listed(tmp_path, capsys):
    config = api.registry.find("ner").preset("default")
    config = dataclasses.replace(config, steps=None, epochs=3)
    api.Run(tmp_path / "ner/short").start("ner", "default", config)
    assert run("runs", "--runs", tmp_path) == 0
    out = capsys.readouterr().out
    assert "--epochs 3" in out and "--steps" not in out


def test_the_comparison_of_runs(place, capsys):
    assert run("train", "./formula", "--run", "fine", "--kind", "fine") == 0
    capsys.readouterr()
    assert run("runs", RUN, "runs/formula/fine") == 0
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("│")
    ]
    table = {name: values for name, *values in rows}
    assert table["width"] == ["2", "4"] and table["kind"] == ["plain", "fine"]
    assert "rate" not in table, "the same in both"
    assert table["test/accuracy"][0] == "" and float(table["test/accuracy"][1]) > 0
    assert table["epochs"] == ["3", "3"]


PAGE = (Path(__file__).parents[2] / "docs/runs.md").read_text()


@pytest.mark.slow
def test_the_page_about_runs(workplace):
    pixels = np.zeros((28, 28), "uint8")
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save("digit.png")
    names = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], names)
    trained = names["trained"]
    assert trained.metrics["test"]["accuracy"] > 0.5
    assert (trained.folder / "onnx/predict.onnx").is_file()

"""Output of `train`, `tune`, `evaluate` and `predict` with --quiet and --json, and in pipes."""

import io
import json
import math
from pathlib import Path

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)

import formula_recipe

import keras_seq
from keras_seq import cli
from keras_seq.train import TrainedRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the recipe and a finished run."""
    path = tmp_path_factory.mktemp("output")
    name = formula_recipe.write(path / "formula")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        assert cli.main(["train", name, "--run", "done", "--quiet"]) == 0
    return path


@pytest.fixture
def inside(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    capsys.readouterr()


RUN = ["runs/formula/done", "--recipe", "./formula"]


def test_each_phase_prints_a_line(inside, capsys):
    assert cli.main(["train", "./formula", "--run", "text"]) == 0
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if " took " not in line]
    assert lines[:6] == [
        "importing Keras",
        "reading the data",
        "building the model",
        "encoding the examples",
        "compiling the first step",
        "training",
    ]
    assert [line[:9] for line in lines[6:9]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert lines[9:12] == ["writing plots and samples", "saving the model", "evaluating the model"]
    assert lines[-1] == "run runs/formula/text" and "\x1b" not in out and err == ""


def test_quiet_prints_nothing(inside, capsys):
    assert cli.main(["train", "./formula", "--run", "quiet", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    with pytest.raises(keras_seq.InputError, match="There is no output 'none'"):
        keras_seq.train("./formula", run="none", output="none")


def test_json_is_all_there_is(inside, capsys):
    assert cli.main(["train", "./formula", "--run", "json", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3]
    assert events[0]["phase"] == "importing Keras"
    assert events[-1]["event"] == "result" and events[-1]["run"] == "runs/formula/json"
    assert events[-1]["metrics"]["test"]["accuracy"] > 0


def test_an_error_is_not_json(inside, capsys):
    assert cli.main(["train", "./formula", "--run", "done", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "holds a finished run" in err


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_a_search(inside, capsys, option):
    run = f"search{option}"
    assert cli.main(["tune", "./formula", "--run", run, "--trials", "1", option]) == 0
    out = capsys.readouterr().out
    if option == "--quiet":
        assert out == ""
        return
    events = [json.loads(line) for line in out.splitlines()]
    assert {"phase": "searching", "event": "phase"} in events
    assert any(event["text"].startswith("trial 0") for event in events if "text" in event)
    assert events[-1]["event"] == "result" and events[-1]["run"] == f"runs/formula/{run}"


def test_evaluate_prints_a_json_object(inside, capsys, monkeypatch):
    metrics = {"accuracy": 0.5, "by_label": {"a": math.nan}}
    monkeypatch.setattr(TrainedRun, "evaluate", lambda *arguments: metrics)
    assert cli.main(["evaluate", *RUN, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"test": {"accuracy": 0.5, "by_label": {"a": None}}} and err == ""


def test_predict_prints_the_predictions_alone(inside, capsys):
    assert cli.main(["predict", RUN[0], "text", *RUN[1:], "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert "weights" in out and err == ""


class Terminal(io.StringIO):
    """Output that is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    "arguments, phase",
    [
        (["data", "./formula"], "reading the data"),
        (["trace", RUN[0], "text", *RUN[1:]], "tracing the example"),
        (["export", *RUN], "exporting the model"),
    ],
)
def test_a_terminal_shows_what_takes_time(inside, monkeypatch, arguments, phase):
    report = {"latency_ms": {}, "max_abs_error": 0.0}
    monkeypatch.setattr(TrainedRun, "export", lambda *arguments: report)
    monkeypatch.setattr(TrainedRun, "write_trace_page", lambda *arguments: Path("page"))
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    assert cli.main(arguments) == 0
    assert f"{phase}\n" in terminal.getvalue()

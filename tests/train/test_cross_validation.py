"""Cross-validation: `keras_seq.train.cross_validate` and `keras-seq train --folds`."""

import json
import math
import shutil
import sys
from pathlib import Path

import formula_recipe
import keras
import pytest

import keras_seq
from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.train import callbacks, cross_validate, cross_validation, outputs

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)

DATA = """
import numpy as np
from keras_seq.batching import RawExamples

def load(config):
    inputs = np.arange(14, dtype="float32")[:, None]
    splits = {"train": inputs[:8], "validation": inputs[8:12], "test": inputs[12:]}
    return {name: RawExamples(x, x) for name, x in splits.items() if name in config.data}
"""
EVALUATE = """
def evaluate(model, splits, name):
    [weight, bias] = (float(w.numpy().squeeze()) for w in model.weights)
    inputs = splits[name].inputs
    with open("log", "a") as log:
        print(name, *sorted(inputs[:, 0].astype(int).tolist()), file=log)
    error = float(abs(weight * inputs + bias - inputs).mean())
    return {"accuracy": -error, "error": error, "per_label": {"a": {"f1": 0.5}}}
"""
RUN = Path("runs/rows/default-4-folds")
ALL = "train validation test"


def run(*arguments):
    """Return the exit code of a command line, run in this process."""
    return cli.main(list(map(str, arguments)))


def write_recipe(folder):
    """Write a recipe whose inputs are numbers; its evaluation writes them to the file `log`."""
    name = formula_recipe.write(folder / "rows")
    (folder / "rows/data.py").write_text(DATA)
    recipe = (folder / "rows/recipe.py").read_text()
    (folder / "rows/recipe.py").write_text(recipe.partition("def evaluate(model, s")[0] + EVALUATE)
    config = (folder / "rows/config.py").read_text()
    (folder / "rows/config.py").write_text(
        config.replace("    steps", f'    data: str = "{ALL}"\n    steps')
    )
    return name


def forget(name):
    for module in [module for module in sys.modules if f"_in_folder_{name}" in module]:
        del sys.modules[module]


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """Return a folder with a recipe and a cross-validation of it by the command."""
    folder = tmp_path_factory.mktemp("validated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_recipe(folder)
        assert run("train", "./rows", "--folds", 4, "--batch-size", 2) == 0
        yield folder
    forget("rows")


@pytest.fixture
def place(validated, tmp_path, monkeypatch):
    """Return a copy of `validated`, which is the current folder."""
    shutil.copytree(validated, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget("rows")


def test_each_model_is_measured_once_on_examples_that_no_choice_depends_on(place):
    tested = [line.split()[1:] for line in Path("log").read_text().splitlines() if "test" in line]
    assert sorted(number for fold in tested for number in fold) == sorted(map(str, range(12)))
    assert list(map(len, tested)) == [3] * 4
    for number, fold in enumerate(tested):
        run = keras_seq.load_run(RUN / f"fold-{number + 1}", "./rows")
        splits = run.recipe.load_splits(run.config)
        assert sorted(splits["test"].inputs[:, 0].astype(int).astype(str)) == sorted(fold)
        assert list(map(len, splits.values())) == [6, 3, 3]
        assert run.evaluate() == run.metrics["test"] and run.predict(["a"])


def test_the_metrics(place):
    metrics = json.loads((RUN / "metrics.json").read_text())
    folds = [json.loads((RUN / f"fold-{n}/metrics.json").read_text()) for n in (1, 2, 3, 4)]
    assert metrics["by_fold"] == [fold["test"] for fold in folds] and metrics["folds"] == 4
    assert metrics["machine"] == folds[0]["machine"]
    assert metrics["command"] == "keras-seq train ./rows --folds 4 --batch-size 2"
    errors = [fold["test"]["error"] for fold in folds]
    assert len(set(errors)) == 4
    assert metrics["summary"]["error"]["mean"] == pytest.approx(sum(errors) / 4)
    assert metrics["summary"]["per_label"]["a"]["f1"] == {
        "mean": 0.5,
        "standard_deviation": 0.0,
        "interval": {"low": 0.5, "high": 0.5},
    }


def test_the_interval_is_that_of_students_t():
    rows = [{"f1": value} for value in (0.7, 0.8, 0.9, 1.0)]
    row = cross_validation.summarize(rows)["f1"]
    assert row["standard_deviation"] == pytest.approx(math.sqrt(1 / 60))
    # 3.182 is the quantile for three degrees of freedom in every table.
    half_width = 3.182 * math.sqrt(1 / 60) / 2
    assert row["interval"]["low"] == pytest.approx(0.85 - half_width, abs=1e-4)
    assert row["interval"]["high"] == pytest.approx(0.85 + half_width, abs=1e-4)
    nested = cross_validation.summarize([{"by": {"a": 1}}, {"by": {}}, {"by": {"b": math.nan}}])
    assert nested["by"]["a"] == {"mean": 1.0} and math.isnan(nested["by"]["b"]["mean"])


def test_a_resumed_cross_validation_equals_an_undisturbed_one(place, monkeypatch, capsys):
    save, calls = callbacks.RunCallback.save, []

    def stop_in_the_second_fold(run_callback):
        save(run_callback)
        calls.append(run_callback.run.folder.name)
        if calls.count("fold-2") == 1:
            raise KeyboardInterrupt

    options = ("train", "./rows", "--folds", 4, "--run", "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.RunCallback, "save", stop_in_the_second_fold)
        assert run(*options, "--batch-size", 2) == 130
    message = "keras-seq: interrupted. Continue with the same command and --resume.\n"
    assert capsys.readouterr().err == message
    stopped = Path("runs/rows/stopped")
    finished = (stopped / "fold-1/model.keras").stat().st_mtime_ns
    assert not (stopped / "metrics.json").exists() and not (stopped / "fold-3").exists()
    assert run(*options) == 2 and "--resume" in capsys.readouterr().err
    assert run(*options, "--resume", "--batch-size", 3) == 2
    assert "was started with --batch-size 2, not 3" in capsys.readouterr().err
    assert run("train", "./rows", "--run", "stopped", "--resume") == 2
    assert "was started with --folds 4; it cannot be resumed without" in capsys.readouterr().err
    assert run(*options, "--resume") == 0
    out = capsys.readouterr().out
    assert "fold 2 of 4" in out and "fold 1 of 4" not in out
    whole, resumed = (
        json.loads((folder / "metrics.json").read_text()) for folder in (RUN, stopped)
    )
    assert whole["by_fold"] == resumed["by_fold"] and whole["summary"] == resumed["summary"]
    assert (stopped / "fold-1/model.keras").stat().st_mtime_ns == finished


def test_changed_data_is_noticed_in_folds_that_have_not_begun(place, monkeypatch):
    (RUN / "metrics.json").unlink()
    shutil.rmtree(RUN / "fold-4")
    data = Path("rows/data.py")
    content = json.loads((RUN / "config.json").read_text())
    content["fingerprint"]["code"] = None
    del content["checksum"]
    (RUN / "config.json").write_text(json.dumps(content))
    data.write_text(data.read_text().replace("arange(14", "arange(1, 15"))
    forget("rows")
    with pytest.raises(InputError, match="was started with other data"):
        cross_validate("./rows", 4, resume=True, batch_size=2)


def test_commands_on_a_cross_validation(place, capsys):
    with pytest.raises(InputError, match=r"with 4 models; name the run of one .*4-folds/fold-1\.$"):
        keras_seq.load_run(RUN, "./rows")
    assert run("predict", RUN, "a", "--recipe", "./rows") == 2
    assert run("train", "./rows", "--folds", 4) == 2
    assert "holds a finished run" in capsys.readouterr().err
    assert run("runs") == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if "runs/rows" in line]
    assert "accuracy -" in line and "±" in line and "in 4 folds" in line
    assert run("runs", RUN, RUN / "fold-1") == 0
    assert "summary/error/mean" in capsys.readouterr().out


def test_the_table(place, capsys, monkeypatch):
    monkeypatch.setattr(outputs, "MIN_PHASE_SECONDS", 0)
    assert run("train", "./rows", "--folds", 3, "--run", "three", "--steps", 1) == 0
    out = capsys.readouterr().out
    assert out.count("fold 1 of 3") == 1 and "reading the data took" in out.partition("fold 1")[0]
    assert "runs/rows/three" in out
    rows = [line for line in out.splitlines() if line.startswith("│ error")]
    [error] = [line.split("│")[1:-1] for line in rows]
    assert " to " in error[3] and len(error[4].split()) == 3


@pytest.mark.parametrize(
    "options, message",
    [
        (("--folds", 2), "--folds must be an integer of at least 3, got 2."),
        (("--folds", 2.5), "--folds"),
        (("--folds", 3, "--record"), "--record is for a run with one model, not for --folds 3"),
        (("--folds", 3, "--distribute", "mirrored"), "--distribute is for a run with one model"),
        (("--folds", 13), "have 12 different inputs, fewer than --folds 13"),
        (("--folds", 9, "--data", "train"), "have 8 different inputs, fewer than --folds 9"),
        (
            ("--folds", 3, "--init-from", RUN / "fold-1"),
            "fold-1 was trained on the same data, which --folds 3 measures",
        ),
        (("--folds", 3, "--resume"), "default-3-folds is not a run"),
    ],
)
def test_errors(place, capsys, options, message):
    assert run("train", "./rows", *options) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(path.name for path in Path("runs/rows").iterdir()) == ["default-4-folds"]


def test_without_scipy(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(InputError, match="needs SciPy: run pip install"):
        cross_validate("./rows")

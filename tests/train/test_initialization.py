"""Trainings that start from the weights of a finished run."""

import dataclasses
import json
import re
import shutil

import formula_recipe
import keras
import numpy as np
import pytest
from helpers import to_numpy

from keras_seq._internal.errors import InputError
from keras_seq.train import api, initialization, loop, registry
from keras_seq.train.runs import Run

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="trained on TensorFlow alone"
)
OPTIONS = {"steps": 2, "runs_folder": "runs"}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return formula_recipe.write(tmp_path / "formula")


@pytest.fixture
def base(recipe):
    return api.train_run(recipe, run="base", **OPTIONS)


def start(recipe, name="new", **fields):
    """Return the model of a new run before its first step, and what it started from."""
    info = registry.find(recipe)
    code = info.import_recipe()
    config = dataclasses.replace(info.preset("default"), **fields)
    begin = initialization.load(code, config, Run(info.folder.parent / "runs" / name))
    model = begin.build(code, config, None)
    return model, begin.initialize(code, config, model)


def test_a_run_starts_from_the_weights_of_another(recipe, base):
    model, report = start(recipe, init_from=str(base.folder))
    inputs = np.ones((2, 1), "float32")
    np.testing.assert_array_equal(to_numpy(model(inputs)), to_numpy(base.model(inputs)))
    assert report["copied"] == 2
    random, none = start(recipe)
    assert none is None
    assert not np.array_equal(to_numpy(random.weights[0]), to_numpy(model.weights[0]))


def test_metrics_and_config_record_the_start(recipe, base, capsys):
    new = api.train_run(recipe, run="new", init_from=str(base.folder), **OPTIONS)
    assert f"started from {base.folder}: 2 weights copied" in capsys.readouterr().out
    record = new.metrics["initialization"]
    assert record["run"] == str(base.folder)
    assert record["summary"] == "2 weights copied"
    assert record["recipe"] == "formula"
    content = json.loads((new.folder / "config.json").read_text())
    assert content["config"]["init_from"] == str(base.folder)
    assert content["fingerprint"]["initial"] == {"recipe": "formula", "sha256": record["sha256"]}
    assert "initialization" not in base.metrics
    assert not (new.folder / "initial.keras").exists()


def test_a_run_resumes_without_the_run_that_it_started_from(recipe, base, monkeypatch):
    code = registry.find(recipe).import_recipe()
    folder, options = str(base.folder), {**OPTIONS, "run": "new"}
    expected = api.train_run(recipe, init_from=folder, **{**options, "run": "whole"})

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(code), "report", stop)
        with pytest.raises(KeyboardInterrupt):
            api.train_run(recipe, init_from=folder, **options)
    shutil.rmtree(folder)
    resumed = api.train_run(recipe, resume=True, run="new", runs_folder="runs")
    assert resumed.metrics["initialization"] == expected.metrics["initialization"]
    for ours, theirs in zip(resumed.model.weights, expected.model.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_a_run_that_stopped_before_its_first_checkpoint_starts_from_the_copy(recipe, base):
    run = Run(base.folder.parent / "new")
    run.folder.mkdir()
    shutil.copy(base.run.model_path, run.initial_model_path)
    info = registry.find(recipe)
    config = dataclasses.replace(info.preset("default"), init_from=str(base.folder))
    fingerprint = {"initial": {"recipe": "formula", "sha256": ""}}
    run.start("formula", "default", config, fingerprint, recipe)
    shutil.rmtree(base.folder)
    begin = initialization.load(info.import_recipe(), config, run)
    assert begin.path == run.folder / "initial.keras"


def test_errors_come_before_any_work(recipe, base, monkeypatch):
    monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("training began"))
    folder = str(base.folder)

    def error(init_from=folder):
        with pytest.raises(InputError) as error:
            api.train_run(recipe, run="new", init_from=init_from, **OPTIONS)
        return str(error.value)

    assert error("nowhere") == "--init-from: nowhere is not a folder. Give the folder of a run."
    assert error("formula") == "--init-from: formula is not a run: it has no config.json."
    shutil.copytree(folder, "other")
    other = Run(base.folder.parent.parent.parent / "other")
    other.start("ner", "default", registry.find("ner").preset("default"))
    assert error("other") == (
        "--init-from: other is a run of ner, but formula starts from runs of formula only."
    )
    (base.folder / "model.keras").write_bytes(b"not a zip")
    assert "model.keras" in error()
    (base.folder / "metrics.json").unlink()
    assert error() == (
        f"--init-from: {folder} is not finished. Continue it with `keras-seq train ... --resume`."
    )


def test_an_error_of_shapes_names_the_options_to_change(recipe, base):
    path = registry.find(recipe).folder / "model.py"
    path.write_text(path.read_text().replace("Dense(1)", "Dense(config.width)"))
    with pytest.raises(InputError) as error:
        # A recipe is imported once: the code above is that of the folder below.
        shutil.copytree("formula", "wide/formula")
        start("./wide/formula", init_from=str(base.folder), width=8, rate=0.5)
    assert re.fullmatch(
        r"--init-from: The layer dense\w* has a kernel of shape \(1, 8\), but that of the trained "
        rf"model has \(1, 1\)\. Use the options of {base.folder}: --width 4\.",
        str(error.value),
    )


def test_other_recipes_are_named_by_the_config():
    assert registry.find("sentiment").preset("default").init_recipes == ("language_model",)

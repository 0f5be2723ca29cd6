"""Training loop before the call of Keras's `fit`."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)

import formula_recipe

from keras_seq.data.report import ExampleColumns
from keras_seq.train import loop, optimizers, registry, runs
from keras_seq.train.config import Config


def test_the_train_step_is_traced_once(tmp_path, monkeypatch):
    """Keras traces it again if its first call creates the variables of the optimizer."""
    monkeypatch.chdir(tmp_path)
    recipe = registry.find(formula_recipe.write(tmp_path / "traced")).import_recipe()
    built = []

    def fit(model, *arguments, **options):
        built.append(model.optimizer.built)

    monkeypatch.setattr(keras.Sequential, "fit", fit)
    run = runs.Run(tmp_path / "run")
    loop.fit(recipe, "default", recipe.preset("default"), run)
    assert built == [True]


@pytest.mark.parametrize(
    "limits, planned",
    [
        ({"steps": 96, "epochs": 60}, (10, 96)),  # 9.6 epochs, rounded
        ({"steps": 96, "epochs": None}, (10, 96)),
        ({"steps": 96, "epochs": 10}, (10, 96)),
        ({"steps": 96, "epochs": 9}, (9, 90)),
        ({"steps": None, "epochs": 9}, (9, 90)),
        ({"steps": 1, "epochs": 9}, (1, 1)),
    ],
    ids=str,
)
def test_training_ends_at_steps_or_epochs_whichever_comes_first(limits, planned):
    assert loop.plan_epochs(Config(**limits), 10) == planned


class FakeDevices:
    """Devices that build a replica and do not train."""

    chief, multi_worker = True, False

    def check(self, config):
        pass

    def fit(self, model, build, examples, batches, must_match, **options):
        self.replica, self.epochs, self.examples = build(), options["epochs"], examples


@pytest.mark.parametrize("limits, steps", [({"epochs": 8}, 16), ({"steps": 15}, 15)], ids=str)
def test_the_schedule_spans_the_training(tmp_path, monkeypatch, limits, steps):
    monkeypatch.chdir(tmp_path)
    name = formula_recipe.write(tmp_path / "scheduled")
    model = tmp_path / "scheduled/model.py"
    optimizer = "optimizers.adam_w(0.1, config.steps)"
    text = "from keras_seq.train import optimizers\n" + model.read_text()
    model.write_text(text.replace('"sgd"', optimizer))
    recipe, devices = registry.find(name).import_recipe(), FakeDevices()
    config = recipe.preset("default").override(batch_size=2, **limits)
    built, _ = loop.fit(recipe, "default", config, runs.Run(tmp_path / "run"), devices=devices)
    assert devices.epochs == 8
    expected = optimizers.WarmupCosine(0.1, steps)
    for trained in (built, devices.replica):
        trained.optimizer.iterations.assign(5)
        assert float(trained.optimizer.learning_rate) == float(expected(5))


def test_the_loop_weights_the_training_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = formula_recipe.write(tmp_path / "weighted")
    path = tmp_path / "weighted/config.py"
    path.write_text(path.read_text().replace("config.Config", "config.ClassifierConfig"))
    recipe, devices = registry.find(name).import_recipe(), FakeDevices()
    columns = ExampleColumns([], [], "rows", labels=[["a"], ["a"], ["a"], ["b"]])
    monkeypatch.setattr(type(recipe), "describe", lambda *_: columns)
    config = recipe.preset("default").override(class_weights="balanced")
    run = runs.Run(tmp_path / "run")
    loop.fit(recipe, "default", config, run, devices=devices)
    np.testing.assert_allclose(devices.examples.weights, [2 / 3, 2 / 3, 2 / 3, 2])


@pytest.mark.parametrize("data", ["held", "unheld"])
def test_the_saved_model_is_calibrated(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    recipe = registry.find(formula_recipe.write(tmp_path / "calibrated")).import_recipe()

    def calibrate(self, model, examples):
        assert len(examples) == 4
        model.set_weights([np.full((1, 1), 7), np.full(1, 7)])

    monkeypatch.setattr(type(recipe), "calibrate", calibrate)
    run = runs.Run(tmp_path / "run")
    config = recipe.preset("default").override(data=data, keep_best=True)
    loop.train(recipe, "default", config, run, "command")
    [kernel, _] = keras.saving.load_model(run.model_path).get_weights()
    assert (kernel[0, 0] == 7) == (data == "held")

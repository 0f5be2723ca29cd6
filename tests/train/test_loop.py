"""Training loop before the call of Keras's `fit`."""

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)

import formula_recipe

from keras_seq.train import loop, registry, runs
from keras_seq.train.progress import Progress


def test_the_train_step_is_traced_once(tmp_path, monkeypatch):
    """Keras traces it again if its first call creates the variables of the optimizer."""
    monkeypatch.chdir(tmp_path)
    recipe = registry.find(formula_recipe.write(tmp_path / "traced")).import_recipe()
    built = []

    def fit(model, *arguments, **options):
        built.append(model.optimizer.built)

    monkeypatch.setattr(keras.Sequential, "fit", fit)
    run = runs.Run(tmp_path / "run")
    loop.fit(recipe, "default", recipe.preset("default"), run, Progress)
    assert built == [True]

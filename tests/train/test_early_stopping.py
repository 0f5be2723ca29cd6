"""Trainings that end early: by `patience`, or by `time_limit`."""

import math

import formula_recipe
import keras
import numpy as np
import pytest

from keras_seq.train import callbacks, loop, registry
from keras_seq.train.config import Config
from keras_seq.train.reporter import Reporter
from keras_seq.train.runs import Run

if keras.backend.backend() != "tensorflow":
    pytest.skip("trained on TensorFlow alone", allow_module_level=True)


class Lines(Reporter):
    """Reporter that keeps the texts and warnings."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def report_text(self, text):
        self.lines.append(text)

    warn = report_text


SCORES = [0.1, 0.5, 0.5, 0.4, math.nan, 0.3, 0.6] + [0.2] * 50


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a function that trains with scores by epoch, and the weights after each epoch."""
    monkeypatch.chdir(tmp_path)
    recipe = registry.find(formula_recipe.write(tmp_path / "short")).import_recipe()
    weights, lines = {}, Lines()

    def train(scores=SCORES, run="run", **fields):
        def evaluate(self, model, splits, name):
            steps_per_epoch = max(1, 4 // config.batch_size)
            epoch = -(-int(model.optimizer.iterations) // steps_per_epoch)
            weights.setdefault(epoch, model.get_weights())
            return {"accuracy": scores[epoch - 1]}

        monkeypatch.setattr(type(recipe), "evaluate", evaluate)
        config = recipe.preset("default").override(**fields)
        return loop.train(recipe, "default", config, Run(tmp_path / run), "", reporter=lines)

    train.weights, train.lines = weights, lines.lines
    return train


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that calls another one and interrupts its training after an epoch."""
    save = callbacks.RunCallback.save

    def interrupt(function, epoch, **fields):
        def save_and_stop(run_callback):
            save(run_callback)
            if run_callback.epochs_done == epoch:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(callbacks.RunCallback, "save", save_and_stop)
            function(**fields)

    return interrupt


@pytest.mark.parametrize("keep_best", [True, False])
def test_training_ends_with_the_best_weights(train, tmp_path, keep_best):
    metrics = train(epochs=40, patience=3, keep_best=keep_best)
    assert (metrics["epochs"], metrics["kept_epoch"]) == (5, 3)
    message = "Stopped after epoch 5 of 40: no better validation accuracy for 3 epochs."
    assert metrics["stopped_early"] == message
    assert message in train.lines
    kept = keras.saving.load_model(tmp_path / "run/model.keras").get_weights()
    for actual, best, last in zip(kept, train.weights[3], train.weights[5]):
        np.testing.assert_array_equal(actual, best)
        assert (actual != last).any()


def test_without_an_early_end_the_config_decides_on_the_weights(train):
    for number, keep_best in enumerate((True, False)):
        metrics = train(run=f"run{number}", epochs=6, patience=9, keep_best=keep_best)
        assert (metrics["epochs"], metrics["kept_epoch"]) == (6, 3 if keep_best else 6)
        assert "stopped_early" not in metrics


@pytest.mark.parametrize("epoch", [2, 4, 5])
def test_a_resumed_training_ends_at_the_same_epoch(train, interrupt, epoch):
    fields = {"epochs": 40, "patience": 3, "keep_best": False}
    interrupt(train, epoch, **fields)
    metrics = train(**fields)
    assert (metrics["epochs"], metrics["kept_epoch"]) == (5, 3)
    assert metrics["stopped_early"].startswith("Stopped after epoch 5 of 40")


def test_a_metric_that_is_never_a_number_is_never_better(train):
    metrics = train([math.nan] * 9, epochs=40, patience=4)
    assert (metrics["epochs"], metrics["kept_epoch"]) == (4, 4)


def test_small_data_has_patience(train):
    assert train(epochs=32)["epochs"] == 7 + 8, "a quarter of the epochs after the best"
    plans = {(None, 30): 0, (None, 31): 8, (None, 60): 15, (0, 60): 0, (5, 6): 5}
    for (patience, epochs), expected in plans.items():
        assert callbacks.plan_patience(Config(patience=patience), epochs) == expected


def test_patience_without_a_validation_split(train):
    metrics = train(epochs=9, patience=3, data="unheld")
    assert metrics["epochs"] == 9
    [warning] = metrics["data_warnings"]
    assert warning == "--patience 3 has no effect without a validation split."
    assert warning in train.lines


def set_clock(monkeypatch):
    """Let each step take 20 seconds."""
    monkeypatch.setattr(
        callbacks.RunCallback,
        "seconds",
        lambda run_callback: 20.0 * int(run_callback.eval_model.optimizer.iterations),
    )


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_time_limit_ends_an_epoch(train, interrupt, monkeypatch, is_resumed):
    set_clock(monkeypatch)
    fields = {"epochs": 9, "batch_size": 1, "time_limit": 2, "keep_best": False}  # 6 of 36 steps
    if is_resumed:
        interrupt(train, 1, **fields)
        interrupt(train, 2, **fields)
    metrics = train(**fields)
    assert (metrics["epochs"], metrics["seconds"]) == (2, 120)
    message = "Stopped in epoch 2 of 9: the time limit is 2 minutes."
    assert metrics["stopped_early"] == message
    assert (message in train.lines) != is_resumed


def test_time_that_validation_takes_counts(train, monkeypatch):
    set_clock(monkeypatch)
    monkeypatch.setattr(callbacks.RunCallback, "on_train_batch_end", lambda *_, **__: None)
    metrics = train(epochs=9, time_limit=1)
    assert metrics["stopped_early"].endswith("the time limit is 1 minute.")
    assert metrics["epochs"] == 3 and "epoch 3 of 9" in metrics["stopped_early"]


def test_a_time_limit_at_the_last_step_ends_nothing_early(train, monkeypatch):
    set_clock(monkeypatch)
    metrics = train(epochs=1, batch_size=1, time_limit=80 / 60)
    assert metrics["epochs"] == 1 and "stopped_early" not in metrics

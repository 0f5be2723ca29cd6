"""Training of one trial, which reports each epoch to the oracle."""

import dataclasses
import functools
import math
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras_tuner.engine.trial import Trial

from keras_seq._internal.errors import DamagedFileError
from keras_seq._internal.files import atomic_write
from keras_seq.train import loop
from keras_seq.train.callbacks import RunCallback
from keras_seq.train.config import Config
from keras_seq.train.distribution import Devices
from keras_seq.train.recipe import Recipe
from keras_seq.train.runs import Run
from keras_seq.tuning.space import training_fraction, trial_values


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Trainer of trials of a recipe.

    >>> from pathlib import Path
    >>> from keras_seq.train import registry
    >>> from keras_seq.tuning import Trainer
    >>> recipe = registry.find("ner").import_recipe()
    >>> folder = Path("runs/ner/tuned/tuning")
    >>> Trainer(recipe, "default", recipe.preset("default"), folder).devices is None
    True

    Args:
        recipe: Recipe to train.
        preset: Name of the preset that the config was derived from.
        config: Config with the values that are not tuned.
        folder: Folder of the search, in which each trial has its folder.
        devices: Devices to train on. Default: the one that TensorFlow selects.
    """

    recipe: Recipe
    preset: str
    config: Config
    folder: Path
    devices: Devices | None = None

    def get_run(self, trial_id: str) -> Run:
        """Return the run of a trial."""
        return Run(self.folder / f"trial_{trial_id}")

    def train(self, trial: Trial, oracle: Any) -> None:
        """Train a trial until its end, or until the oracle stops it.

        If a file of the trial is damaged, train it again from the start.

        Args:
            trial: Trial with the values of the tuned fields.
            oracle: `Search` or a client of it.
        """
        try:
            self._fit(trial, oracle)
        except DamagedFileError as error:
            folder = self.get_run(trial.trial_id).folder
            print(f"keras-seq: warning: {error} {folder} starts again.", file=sys.stderr)
            shutil.rmtree(folder)
            self._fit(trial, oracle, continue_earlier=False)

    def _fit(self, trial: Trial, oracle: Any, continue_earlier: bool = True) -> None:
        config = self.config.override(**trial_values(trial))
        run = self.get_run(trial.trial_id)
        # Hyperband names the shorter trial that this one continues.
        earlier = self.get_run(trial.hyperparameters.values.get("tuner/trial_id")).checkpoint_path
        if continue_earlier and earlier.exists() and not run.is_started:
            with atomic_write(run.checkpoint_path) as path:
                shutil.copy(earlier, path)
        keras.utils.clear_session()
        _, run_callback = loop.fit(
            self.recipe,
            self.preset,
            config,
            run,
            functools.partial(ReportToOracle, oracle=oracle, trial=trial),
            fraction=training_fraction(trial),
            test=False,
            devices=self.devices,
        )
        report_progress(run_callback, oracle, trial)

    def clean(self, trial: Trial) -> None:
        """Remove the checkpoint of a trial, unless Hyperband may continue it."""
        if "tuner/epochs" not in trial.hyperparameters.values:
            self.get_run(trial.trial_id).remove_checkpoint()


class ReportToOracle(keras.callbacks.Callback):
    """Callback that reports each epoch to the oracle and stops the trial if the oracle says so.

    Args:
        run_callback: Callback that measures each epoch.
        oracle: `Search` or a client of it.
        trial: Trial.
    """

    def __init__(self, run_callback: RunCallback, oracle: Any, trial: Trial) -> None:
        super().__init__()
        self.run_callback, self.oracle, self.trial = run_callback, oracle, trial

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if report_progress(self.run_callback, self.oracle, self.trial).status == "STOPPED":
            self.model.stop_training = True


def report_progress(run_callback: RunCallback, oracle: Any, trial: Trial) -> Trial:
    """Report the score of a trial at a step, in percent of the training.

    Args:
        run_callback: Callback with the history of the trial.
        oracle: `Search` or a client of it.
        trial: Trial.

    Returns:
        The trial, with the status "STOPPED" if it must stop.
    """
    config, name = run_callback.config, f"val_{run_callback.config.monitor}"
    scores = [row[name] for row in run_callback.history]
    if config.keep_best:
        best = min if config.mode == "min" else max
        scores = [best((s for s in scores if not math.isnan(s)), default=math.nan)]
    metrics = {
        name: scores[-1],
        "epochs": run_callback.epochs_done,
        "seconds": run_callback.history[-1]["seconds"],
    }
    percent = round(100 * run_callback.epochs_done / run_callback.epochs)
    return oracle.update_trial(trial.trial_id, metrics, step=percent)

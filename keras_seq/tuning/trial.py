"""One trial: a training like any other, which tells the oracle after every epoch how it goes."""

import dataclasses
import functools
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import keras

from keras_seq._internal.errors import DamagedFileError
from keras_seq._internal.files import atomic_write
from keras_seq.train import checkpoints, loop, runs
from keras_seq.tuning.search import training_fraction
from keras_seq.tuning.space import trial_values


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Trains what is to be tried, and tells the oracle after every epoch."""

    recipe: Any
    preset: str
    config: Any
    folder: Path
    devices: Any = None

    def run(self, trial):
        """The run of a trial, which for Hyperband may go on from where an earlier one stopped."""
        return runs.Run(self.folder / f"trial_{trial.trial_id}")

    def train(self, trial, oracle):
        """Train until the end, or until the oracle says that it is enough.

        A trial whose files are damaged is trained again from its start.
        """
        try:
            self._fit(trial, oracle)
        except DamagedFileError as error:
            folder = self.run(trial).folder
            print(f"keras-seq: warning: {error} {folder} starts again.", file=sys.stderr)
            shutil.rmtree(folder)
            self._fit(trial, oracle, from_earlier=False)

    def _fit(self, trial, oracle, from_earlier=True):
        values = trial.hyperparameters.values
        config = dataclasses.replace(self.config, **trial_values(trial))
        run = self.run(trial)
        earlier = runs.Run(self.folder / f"trial_{values.get('tuner/trial_id')}").checkpoint_path
        if from_earlier and earlier.exists() and not run.is_started:
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

    def clean(self, trial):
        """Remove what only Hyperband would need again."""
        if "tuner/epochs" not in trial.hyperparameters.values:
            checkpoints.remove(self.run(trial).checkpoint_path)


class ReportToOracle(keras.callbacks.Callback):
    """Callback that reports each epoch to the oracle and stops the trial if the oracle says so."""

    def __init__(self, run_callback, oracle, trial):
        super().__init__()
        self.run_callback, self.oracle, self.trial = run_callback, oracle, trial

    def on_epoch_end(self, epoch, logs=None):
        if report_progress(self.run_callback, self.oracle, self.trial).status == "STOPPED":
            self.model.stop_training = True


def report_progress(run_callback, oracle, trial):
    """Tells the oracle the score of a trial, at a step that is a percentage of the training."""
    config, name = run_callback.config, f"val_{run_callback.config.monitor}"
    scores = [row[name] for row in run_callback.history]
    if config.keep_best:
        best = {"min": min, "max": max}[config.mode]
        scores = [best((s for s in scores if not math.isnan(s)), default=math.nan)]
    metrics = {
        name: scores[-1],
        "epochs": run_callback.epochs_done,
        "seconds": run_callback.history[-1]["seconds"],
    }
    percent = round(100 * run_callback.epochs_done / run_callback.epochs)
    return oracle.update_trial(trial.trial_id, metrics, step=percent)

"""Callback that measures, saves and resumes a run."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_seq._internal import files
from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array
from keras_seq.data.summaries import ReadSummary
from keras_seq.text.tokenizer_choice import TokenizerReport
from keras_seq.train import checkpoints, state
from keras_seq.train.config import Config
from keras_seq.train.metrics import as_floats, numbers
from keras_seq.train.recipe import Recipe, Splits
from keras_seq.train.runs import Run

MAX_EPOCHS_WITHOUT_PATIENCE = 30
"""Maximum number of planned epochs without automatic early stopping."""
PATIENCE_FRACTION = 0.25
"""Automatic patience, as a fraction of the planned epochs."""


class RunCallback(keras.callbacks.Callback):
    """Callback that evaluates each epoch, keeps the best weights and writes a checkpoint.

    It also ends the training early, as `patience` and `time_limit` of the config say.

    Args:
        run: Run whose checkpoint and history are written.
        recipe: Recipe that evaluates the model.
        config: Config of the run.
        splits: Examples as the recipe loads them.
        eval_model: Model to evaluate and save: the trained model, or a copy that is updated after
            every epoch.
        epochs: Number of epochs of the whole training.
        start_time: `time.perf_counter()` when this process started the run.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        config: Config,
        splits: Splits,
        eval_model: keras.Model,
        epochs: int,
        start_time: float,
    ) -> None:
        super().__init__()
        self.run, self.recipe, self.config = run, recipe, config
        self.splits, self.eval_model = splits, eval_model
        self.epochs, self.start_time = epochs, start_time
        self.summaries: list[ReadSummary] = []
        self.data_warnings: Sequence[str] = ()
        self.tokenizer_report: TokenizerReport | None = None
        self.initialized: dict[str, Any] | None = None
        self.history: list[dict[str, Any]] = []
        self.best_weights: list[Array] | None = None
        self.best_epoch: int | None = None
        self.best_score = -math.inf
        self.previous_seconds = 0.0
        self.patience = plan_patience(config, epochs) if "validation" in splits else 0
        self.stop_cause: Literal["patience", "time_limit"] | None = None

    @property
    def epochs_done(self) -> int:
        """Number of completed epochs."""
        return len(self.history)

    @property
    def kept_epoch(self) -> int:
        """Number of the epoch whose weights are kept, from 1."""
        keeps_best = self.config.keep_best or self.stop_cause == "patience"
        return self.best_epoch if keeps_best and self.best_epoch else self.epochs_done

    @property
    def stop_message(self) -> str | None:
        """Sentence about where and why training ended early, or None."""
        place = f"epoch {self.epochs_done} of {self.epochs}"
        if self.stop_cause == "patience":
            monitor, epochs = self.config.monitor, self.patience
            return f"Stopped after {place}: no better validation {monitor} for {epochs} epochs."
        if self.stop_cause == "time_limit":
            minutes = (
                f"{self.config.time_limit:g} minute{'' if self.config.time_limit == 1 else 's'}"
            )
            return f"Stopped in {place}: the time limit is {minutes}."
        return None

    def seconds(self) -> float:
        """Return the seconds spent on the run, including those before an interruption."""
        return self.previous_seconds + time.perf_counter() - self.start_time

    def restore(self) -> None:
        """Restore the model, its optimizer and this callback from the checkpoint, if there is one.

        Raises:
            InputError: If the checkpoint is damaged or belongs to another model.
        """
        checkpoint = checkpoints.read(self.run.checkpoint_path)
        if checkpoint is None:
            return
        with files.expect_content(
            self.run.checkpoint_path, "the checkpoint of a run", checkpoints.REMEDY
        ):
            self._restore(*checkpoint)

    def _restore(self, arrays: Mapping[str, list[Array]], progress: Mapping[str, Any]) -> None:
        if not state.has_same_shapes(self.eval_model, arrays["variables"]):
            raise InputError(
                f"The checkpoint of {self.run.folder} does not fit the model that the recipe "
                "builds now. Restore the packages and files that the run was started with, or "
                "start another run with --run."
            )
        state.set_state(self.eval_model, arrays["variables"])
        self.best_weights = arrays.get("best_weights")
        self.history, self.best_epoch = progress["history"], progress["best_epoch"]
        self.best_score, self.previous_seconds = progress["best_score"], progress["seconds"]
        self.stop_cause = progress.get("stop_cause")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        is_last = batch + 1 == self.params["steps"] and self.epochs_done + 1 == self.epochs
        if self._is_out_of_time() and not is_last:
            self._stop("time_limit")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.model is not self.eval_model:
            state.set_state(self.eval_model, state.get_state(self.model))
        row = {"epoch": epoch + 1, **as_floats(logs or {})}
        if "validation" in self.splits:
            metrics = self.recipe.evaluate(self.eval_model, self.splits, "validation")
            validation = {f"val_{name}": value for name, value in as_floats(metrics).items()}
            row |= validation
            if logs is not None:  # Keras hands the same dict to the callbacks of loggers next.
                logs |= numbers(validation)
        row["seconds"] = round(self.seconds(), 1)
        self.history.append(row)
        score = self._score(row)
        if (self.config.keep_best or self.patience) and score >= self.best_score:
            self.best_score, self.best_epoch = score, epoch + 1
            self.best_weights = self.eval_model.get_weights()
        if self.epochs_done < self.epochs and self.stop_cause is None:
            if self._is_out_of_time():
                self._stop("time_limit")
            elif self.patience and self._epochs_without_better_score() >= self.patience:
                self._stop("patience")
        self.save()

    def _score(self, row: Mapping[str, Any]) -> float:
        """Return the monitored metric of an epoch, higher is better; -inf if there is none."""
        if (name := f"val_{self.config.monitor}") not in row:
            return -math.inf
        return -row[name] if self.config.mode == "min" else row[name]

    def _epochs_without_better_score(self) -> int:
        best, epochs = -math.inf, 0
        for row in self.history:
            score = self._score(row)
            is_better = score > best  # never if it is NaN
            best, epochs = (score, 0) if is_better else (best, epochs + 1)
        return epochs

    def _is_out_of_time(self) -> bool:
        limit = self.config.time_limit
        return limit is not None and self.seconds() >= 60 * limit

    def _stop(self, cause: Literal["patience", "time_limit"]) -> None:
        self.stop_cause = cause
        self.model.stop_training = True

    def save(self) -> None:
        """Write the history and a checkpoint."""
        arrays = {"variables": state.get_state(self.eval_model)}
        if self.best_weights is not None:
            arrays["best_weights"] = self.best_weights
        progress = {
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "seconds": self.seconds(),
            "stop_cause": self.stop_cause,
        }
        self.run.write_history(self.history)
        checkpoints.write(self.run.checkpoint_path, arrays, progress)


def plan_patience(config: Config, epochs: int) -> int:
    """Return the number of epochs without a better metric that end a training, 0 for no end.

    Without a value in the config, only trainings of more than 30 epochs end early.

    Args:
        config: Config of the run.
        epochs: Number of epochs that are planned.
    """
    if config.patience is not None:
        return config.patience
    return round(PATIENCE_FRACTION * epochs) if epochs > MAX_EPOCHS_WITHOUT_PATIENCE else 0

"""Callback that measures, saves and resumes a run."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

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


class RunCallback(keras.callbacks.Callback):
    """Callback that evaluates each epoch, keeps the best weights and writes a checkpoint.

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
        self.history: list[dict[str, Any]] = []
        self.best_weights: list[Array] | None = None
        self.best_epoch: int | None = None
        self.best_score = -math.inf
        self.previous_seconds = 0.0

    @property
    def epochs_done(self) -> int:
        """Number of completed epochs."""
        return len(self.history)

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
        score = -math.inf
        if (name := f"val_{self.config.monitor}") in row:
            score = -row[name] if self.config.mode == "min" else row[name]
        if self.config.keep_best and score >= self.best_score:
            self.best_score, self.best_epoch = score, epoch + 1
            self.best_weights = self.eval_model.get_weights()
        self.save()

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
        }
        self.run.write_history(self.history)
        checkpoints.write(self.run.checkpoint_path, arrays, progress)

"""What happens after every epoch of a run."""

import math
import time
from typing import Any

import keras

from keras_seq._internal.errors import InputError
from keras_seq.train import checkpoints, state
from keras_seq.train.config import Config
from keras_seq.train.metrics import as_floats
from keras_seq.train.recipe import Recipe, Splits
from keras_seq.train.runs import Run


class RunCallback(keras.callbacks.Callback):
    """Measures the validation split, keeps the best weights and saves a checkpoint.

    Args:
        run: Run whose checkpoint it reads and writes.
        recipe: Recipe, which measures.
        config: Config of the run.
        splits: Examples as the recipe loads them.
        measured: Model to measure and to save: that which is trained, or one with the same weights
            after every epoch.
        epochs: Epochs of the whole training.
        started: `time.perf_counter()` when this process began to work on the run.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        config: Config,
        splits: Splits,
        measured: keras.Model,
        epochs: int,
        started: float,
    ) -> None:
        super().__init__()
        self.run, self.recipe, self.config = run, recipe, config
        self.splits, self.measured = splits, measured
        self.epochs, self.started = epochs, started
        self.history: list[dict[str, Any]] = []
        self.best_weights: list[Any] | None = None
        self.best_epoch: int | None = None
        self.best = -math.inf
        self.seconds_before = 0.0

    @property
    def epochs_done(self) -> int:
        """Number of epochs that have ended."""
        return len(self.history)

    def seconds(self) -> float:
        """Return the seconds spent on the run, those before an interruption included."""
        return self.seconds_before + time.perf_counter() - self.started

    def restore(self) -> None:
        """Put the model, its optimizer and this object back to where the checkpoint stands.

        Raises:
            InputError: If the checkpoint is of another model.
        """
        checkpoint = checkpoints.read(self.run.checkpoint_path)
        if checkpoint is None:
            return
        arrays, progress = checkpoint
        if not state.has_same_shapes(self.measured, arrays["variables"]):
            raise InputError(
                f"The checkpoint of {self.run.folder} is of another model than the recipe builds "
                "now: go on with the packages and files that it was started with, or start another "
                "run with --run."
            )
        state.set_state(self.measured, arrays["variables"])
        self.best_weights = arrays.get("best_weights")
        self.history, self.best_epoch = progress["history"], progress["best_epoch"]
        self.best, self.seconds_before = progress["best"], progress["seconds"]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """See Keras."""
        if self.model is not self.measured:
            state.set_state(self.measured, state.get_state(self.model))
        row = {"epoch": epoch + 1, **as_floats(logs or {})}
        if "validation" in self.splits:
            metrics = as_floats(self.recipe.evaluate(self.measured, self.splits, "validation"))
            row |= {f"val_{name}": value for name, value in metrics.items()}
        row["seconds"] = round(self.seconds(), 1)
        self.history.append(row)
        score = -math.inf
        if (name := f"val_{self.config.monitor}") in row:
            score = -row[name] if self.config.mode == "min" else row[name]
        if self.config.keep_best and score >= self.best:
            self.best, self.best_epoch = score, epoch + 1
            self.best_weights = self.measured.get_weights()
        self.save()

    def save(self) -> None:
        """Write the history and a checkpoint."""
        arrays = {"variables": state.get_state(self.measured)}
        if self.best_weights is not None:
            arrays["best_weights"] = self.best_weights
        progress = {
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best": self.best,
            "seconds": self.seconds(),
        }
        self.run.write_history(self.history)
        checkpoints.write(self.run.checkpoint_path, arrays, progress)

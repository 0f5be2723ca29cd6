"""Progress bars of trainings and searches."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from keras_seq._internal.unicode import show_controls
from keras_seq.train.metrics import numbers

if TYPE_CHECKING:
    from keras_seq.train.callbacks import RunCallback

MAX_WARNINGS = 5
"""Number of lines of warnings about the data."""
Logs = Mapping[str, Any] | None
"""Logs that Keras hands to callbacks."""


class Progress(keras.callbacks.Callback):
    """Progress bar over all epochs with the running loss, and a line of metrics per epoch.

    Before the first epoch it prints what was read from the user's files, a line per file, warnings
    about the data, and how the tokenizer reproduces the training tokens from raw text.

    Args:
        run_callback: Callback that measures each epoch. Keras must call it first.
    """

    def __init__(self, run_callback: "RunCallback") -> None:
        super().__init__()
        self.run_callback, self.epochs = run_callback, run_callback.epochs
        self.bar = Bar(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
            console=Console(highlight=False, soft_wrap=True),
        )

    def on_train_begin(self, logs: Logs = None) -> None:
        for summary in self.run_callback.summaries:
            self.bar.console.print(show_controls(f"read {summary}"), markup=False)
        for line in shorten(self.run_callback.data_warnings):
            self.bar.console.print(show_controls(f"warning: {line}"), markup=False)
        if report := self.run_callback.tokenizer_report:
            for line in (str(report), report.warning):
                if line:
                    self.bar.console.print(show_controls(line), markup=False)
        epochs_done, steps_per_epoch = self.run_callback.epochs_done, self.params["steps"]
        self.task = self.bar.add_task(
            "",
            total=self.epochs * steps_per_epoch,
            completed=epochs_done * steps_per_epoch,
            epoch=epochs_done,
            epochs=self.epochs,
            loss=float("nan"),
        )
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.start_time = time.perf_counter()
        self.bar.update(self.task, epoch=epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        assert logs is not None
        self.bar.update(self.task, advance=1, loss=float(logs["loss"]))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        row = numbers(self.run_callback.history[-1])
        metrics = [f"{k} {v:.4f}" for k, v in row.items() if k not in ("epoch", "seconds")]
        seconds = time.perf_counter() - self.start_time
        self.bar.console.print(
            f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}  "
            + "  ".join(metrics)
            + f"  {seconds:.1f} s"
        )

    def on_train_end(self, logs: Logs = None) -> None:
        self.bar.stop()
        if message := self.run_callback.stop_message:
            self.bar.console.print(message, markup=False)


def shorten(warnings: Sequence[str]) -> list[str]:
    """Return at most `MAX_WARNINGS` lines, the last of which may state the number of others."""
    if len(warnings) <= MAX_WARNINGS:
        return list(warnings)
    num_others = len(warnings) - MAX_WARNINGS + 1
    return [*warnings[: MAX_WARNINGS - 1], f"{num_others} others, which `keras-seq data` prints"]


class OnProgress(Protocol):
    """Function that shows the progress of a search."""

    def __call__(self, num_done: float, line: str | None = None) -> None:
        """Show the number of trials done, including fractions of running ones; print a line."""


@contextlib.contextmanager
def trial_progress(num_trials: int) -> Iterator[OnProgress]:
    """Show a progress bar over the trials of a search.

    Args:
        num_trials: Number of trials.

    Yields:
        Function that updates the bar and prints lines above it.
    """
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(highlight=False, soft_wrap=True)
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("", total=num_trials)

        def on_progress(num_done: float, line: str | None = None) -> None:
            if line is not None:
                console.print(line, markup=False)
            bar.update(task, completed=num_done)

        yield on_progress

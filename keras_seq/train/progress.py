"""Reports of trainings and searches to a `Reporter`."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import keras

from keras_seq.train.metrics import numbers
from keras_seq.train.reporter import Reporter

if TYPE_CHECKING:
    from keras_seq.train.callbacks import RunCallback

MAX_WARNINGS = 5
"""Number of lines of warnings about the data."""
Logs = Mapping[str, Any] | None
"""Logs that Keras hands to callbacks."""


class Progress(keras.callbacks.Callback):
    """Reports of the steps and epochs of a training, with the running loss.

    Before the first epoch it reports what was read from the user's files, a line per file, warnings
    about the data, how the tokenizer reproduces the training tokens from raw text, and after which
    epoch a training resumes.

    Args:
        run_callback: Callback that measures each epoch. Keras must call it first.
        reporter: Reporter.
    """

    def __init__(self, run_callback: "RunCallback", reporter: Reporter) -> None:
        super().__init__()
        self.run_callback, self.reporter = run_callback, reporter
        self.is_compiled = False

    def on_train_begin(self, logs: Logs = None) -> None:
        for summary in self.run_callback.summaries:
            self.reporter.report_text(f"read {summary}")
        for line in shorten(self.run_callback.data_warnings):
            self.reporter.warn(line)
        if report := self.run_callback.tokenizer_report:
            self.reporter.report_text(str(report))
            if report.warning:
                self.reporter.warn(report.warning)
        if epochs_done := self.run_callback.epochs_done:
            self.reporter.report_text(
                f"resumed after epoch {epochs_done} of {self.run_callback.epochs}"
            )
        self.reporter.start_phase("compiling the first step")

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch, self.start_time = epoch, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        assert logs is not None
        steps, epochs = self.params["steps"], self.run_callback.epochs
        steps_done = self.epoch * steps + batch + 1
        if not self.is_compiled:
            self.is_compiled = True
            self.reporter.start_phase("training")
            self.reporter.start_task("step", epochs * steps, steps_done, epochs)
        self.reporter.advance(
            steps_done,
            epoch=self.epoch + 1,
            loss=float(logs["loss"]),
            is_evaluating=batch + 1 == steps,
        )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        row = numbers(self.run_callback.history[-1])
        metrics = {k: v for k, v in row.items() if k not in ("epoch", "seconds")}
        self.reporter.report_epoch(metrics, time.perf_counter() - self.start_time)

    def on_train_end(self, logs: Logs = None) -> None:
        if message := self.run_callback.stop_message:
            self.reporter.report_text(message)


class OtherWorkerProgress(keras.callbacks.Callback):
    """Report that another worker reports the training.

    Args:
        reporter: Reporter.
    """

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self.reporter = reporter

    def on_train_begin(self, logs: Logs = None) -> None:
        self.reporter.start_phase("training, which the first worker reports")


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


def trial_progress(reporter: Reporter, num_trials: int) -> OnProgress:
    """Return a function that reports the trials of a search.

    Args:
        reporter: Reporter.
        num_trials: Number of trials.
    """
    reporter.start_task("trials", num_trials)

    def on_progress(num_done: float, line: str | None = None) -> None:
        if line is not None:
            reporter.report_text(line)
        reporter.advance(num_done)

    return on_progress

"""Reporters that print: text with a progress bar, warnings alone, or a JSON object per line."""

import contextlib
import datetime
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from keras_seq._internal.errors import unknown_name
from keras_seq._internal.unicode import show_controls
from keras_seq.train.metrics import numbers
from keras_seq.train.reporter import Reporter

Output = Literal["progress", "quiet", "json"]
"""Kind of output: text and a bar, warnings alone, or a JSON object per line."""
MIN_PHASE_SECONDS = 2.0
"""Duration from which `TextReporter` states how long a phase took."""
LINES = {
    "message": "{text}",
    "warning": "warning: {text}",
    "phase": "{phase}",
    "phase_end": "{phase} took {seconds:.1f} s",
    "wait": "still {phase}, {seconds:.0f} s",
}
"""Lines of `TextReporter`, by event."""


class QuietReporter(Reporter):
    """Reporter that prints warnings alone, on the standard error.

    >>> with QuietReporter() as reporter:
    ...     reporter.report_text("read 12 examples")
    """

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """Print an event if it is a warning."""
        if event == "warning":
            print(show_controls(f"keras-seq: warning: {values['text']}"), file=sys.stderr)


class JsonReporter(Reporter):
    """Reporter that prints a JSON object per line on the standard output.

    All else that is printed goes to the standard error while the reporter is open.

    >>> with JsonReporter(clock=lambda: 0.0) as reporter:
    ...     reporter.report_text("read 12 examples")
    {"event": "message", "text": "read 12 examples"}

    Args:
        clock: Function that returns the time in seconds.
    """

    reports_progress = True

    def __enter__(self) -> "Reporter":
        self.stream = sys.stdout
        self._redirection = contextlib.redirect_stdout(sys.stderr)
        self._redirection.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)
        finally:
            self._redirection.__exit__(*error)

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """Print an event. The numbers of seconds are rounded."""
        rounded = {
            name: round(value, 3)
            if name in ("seconds", "elapsed", "remaining") and value
            else value
            for name, value in values.items()
        }
        print(to_json({"event": event, **rounded}), file=self.stream, flush=True)


class TextReporter(Reporter):
    """Reporter that prints lines of text, and a progress bar if the output is a terminal.

    >>> from rich.console import Console
    >>> with TextReporter(Console(), clock=lambda: 0.0) as reporter:
    ...     reporter.start_phase("reading the data")
    reading the data

    Args:
        console: Console to print to. Default: the standard output. Phases are printed to the
            standard error only if it is a terminal, so that an error stands alone in a log.
        clock: Function that returns the time in seconds.
    """

    reports_progress = True

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(clock)
        self.console = Console() if console is None else console
        # The environment may make rich write colors to a pipe, but no bar can be drawn there.
        is_terminal = self.console.file.isatty() and not self.console.is_dumb_terminal
        self.draws_bar = is_terminal or self.console.is_jupyter
        self.prints_phases = self.draws_bar or not self.console.stderr
        self.bar: Progress | None = None

    def start_task(self, unit: str, total: int | None, done: float = 0, epochs: int = 0) -> None:
        """Start to report a task, on a terminal with a bar."""
        super().start_task(unit, total, done, epochs)
        if self.draws_bar:
            title = "epoch {task.fields[epoch]}/{task.fields[epochs]}" if epochs else unit
            columns = [TextColumn(title), BarColumn(), MofNCompleteColumn()]
            columns += [TextColumn("loss {task.fields[loss]:.4f}")] if epochs else []
            columns += [TimeElapsedColumn() if total is None else TimeRemainingColumn()]
            self.bar = Progress(*columns, console=self.console)
            fields: dict[str, Any] = {"epoch": 0, "epochs": epochs, "loss": math.nan}
            task_id = self.bar.add_task("", total=total, **fields)
            self.bar.update(task_id, completed=done)
            if not epochs:  # else the first epoch and its loss are still unknown
                self.bar.start()

    def advance(self, done: float, **changes: Any) -> None:
        """Set how much of the task is done, and update the bar."""
        super().advance(done, **changes)
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=done, **changes)
            self.bar.start()

    def _end_task(self) -> None:
        super()._end_task()
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """Print an event as a line, unless it needs none."""
        if line := self._format(event, values):
            self.console.print(show_controls(line), markup=False, highlight=False, soft_wrap=True)

    def _format(self, event: str, values: Mapping[str, Any]) -> str | None:
        if event == "epoch":
            return self._format_epoch(values)
        if event == "progress":
            return _format_progress(values) if self.bar is None else None
        if event in {"phase", "phase_end"} and (
            not self.prints_phases or values.get("seconds", math.inf) < MIN_PHASE_SECONDS
        ):
            return None
        return LINES[event].format_map(values) if event in LINES else None

    def _format_epoch(self, values: Mapping[str, Any]) -> str:
        epochs = str(values["epochs"])
        metrics = [f"{name} {value:.4f}" for name, value in numbers(values["metrics"]).items()]
        times = [f"{values['seconds']:.1f} s"] if self.bar else _format_times(values)
        return "  ".join([f"epoch {values['epoch']:>{len(epochs)}}/{epochs}", *metrics, *times])


def _format_progress(values: Mapping[str, Any]) -> str:
    # The number of trials that are done includes fractions of those that are running.
    count = f"{values['unit']} {round(values['done'], 2)}"
    columns = [count if values["total"] is None else f"{count}/{values['total']}"]
    if "epochs" in values:
        epoch = f"epoch {values['epoch']}/{values['epochs']}"
        columns = [epoch, *columns, f"loss {values['loss']:.4f}"]
    columns += ["evaluating"] if values.get("is_evaluating") else []
    return "  ".join([*columns, *_format_times(values)])


def _format_times(values: Mapping[str, Any]) -> list[str]:
    times = {"elapsed": values["elapsed"], "left": values["remaining"]}
    return [
        f"{name} {datetime.timedelta(seconds=round(seconds))}"
        for name, seconds in times.items()
        if seconds is not None
    ]


def to_json(content: Any) -> str:
    """Return a line of JSON, in which NaN and infinity are null.

    Args:
        content: Numbers, texts, mappings and sequences, nested.
    """
    return json.dumps(_finite(content), ensure_ascii=False, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def make_reporter(output: Output, use_stderr: bool = False) -> Reporter:
    """Return a reporter.

    Args:
        output: Kind of output.
        use_stderr: Whether lines of text go to the standard error, for commands that print a result
            on the standard output.

    Raises:
        InputError: If there is no such kind.
    """
    if output == "progress":
        return TextReporter(Console(stderr=use_stderr))
    if output == "quiet":
        return QuietReporter()
    if output == "json":
        return JsonReporter()
    raise unknown_name("output", output, get_args(Output))
